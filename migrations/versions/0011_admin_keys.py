"""Keys of the installation, which belong to no project."""

from alembic import op

revision = "0011"
down_revision = "0010"

UPGRADE = """
CREATE TABLE admin_keys (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    prefix text NOT NULL,
    key_hash text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    expires_at timestamptz,
    revoked_at timestamptz
);
ALTER TABLE admin_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE admin_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY presented_key ON admin_keys USING (key_hash = (SELECT current_setting('memcubed.key_hash', true)));
-- No tenant sees any; only a transaction that was opened for the installation as a whole does.
CREATE POLICY installation ON admin_keys USING ((SELECT current_setting('memcubed.installation', true)) = 'on');
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("DROP TABLE admin_keys")
