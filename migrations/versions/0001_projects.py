"""Projects, their API keys, and the tenant that every other table is guarded by."""

from alembic import op

revision = "0001"
down_revision = None

UPGRADE = """
CREATE EXTENSION IF NOT EXISTS vector;

-- The project of the running transaction; NULL, and so no row of any tenant table, when none was set.
CREATE FUNCTION memcubed_tenant() RETURNS uuid LANGUAGE sql STABLE
    AS $$ SELECT NULLIF(current_setting('memcubed.project_id', true), '')::uuid $$;

CREATE TABLE projects (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    timezone text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name text NOT NULL,
    prefix text NOT NULL,
    key_hash text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    expires_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX api_keys_project_id_idx ON api_keys (project_id);
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON api_keys USING (project_id = (SELECT memcubed_tenant()));
-- Before a request's project is known, the one key whose hash it presents can be looked up, and no other.
CREATE POLICY presented_key ON api_keys USING (key_hash = (SELECT current_setting('memcubed.key_hash', true)));
"""

DOWNGRADE = """
DROP TABLE api_keys;
DROP TABLE projects;
DROP FUNCTION memcubed_tenant();
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
