"""Which memory took the place of another, in its history."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("ALTER TABLE memory_versions ADD COLUMN superseded_by uuid")


def downgrade() -> None:
    op.execute("ALTER TABLE memory_versions DROP COLUMN superseded_by")
