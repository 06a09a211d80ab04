"""Whether what a project brings is redacted."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    # NULL: the installation's setting
    op.execute("ALTER TABLE projects ADD COLUMN redact boolean")


def downgrade() -> None:
    op.execute("ALTER TABLE projects DROP COLUMN redact")
