"""How much of its rate limits each project has used, for all processes together."""

from alembic import op

revision = "0009"
down_revision = "0008"

# Unlogged: what it holds is out of date after a minute, so a commit need not wait for the disk. A crash empties it.
UPGRADE = """
CREATE UNLOGGED TABLE project_rates (
    project_id uuid PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    -- when the bucket of requests, and the one of input tokens, will be full again if nothing more is taken
    requests_full_at timestamptz NOT NULL DEFAULT '-infinity',
    tokens_full_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 20);
ALTER TABLE project_rates ENABLE ROW LEVEL SECURITY;
ALTER TABLE project_rates FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON project_rates USING (project_id = (SELECT memcubed_tenant()));
-- A request is counted in the statement that looks up its key, before its project is known.
CREATE POLICY presented_key ON project_rates USING (project_id = (
    SELECT k.project_id FROM api_keys k WHERE k.key_hash = (SELECT current_setting('memcubed.key_hash', true))
));
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("DROP TABLE project_rates")
