"""What a project's key may do: read, write, or both, which is what the keys of before may."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("ALTER TABLE api_keys ADD COLUMN scopes text[] NOT NULL DEFAULT '{read,write}'")


def downgrade() -> None:
    op.execute("ALTER TABLE api_keys DROP COLUMN scopes")
