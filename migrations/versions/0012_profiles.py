"""Profile templates, and the profiles that users and agents have of them."""

from alembic import op

revision = "0012"
down_revision = "0011"

TENANT_TABLES = ("profile_templates", "profiles")

UPGRADE = """
CREATE TABLE profile_templates (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name text NOT NULL,
    description text NOT NULL,
    metadata jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX profile_templates_project_id_idx ON profile_templates (project_id, created_at);

CREATE TABLE profiles (
    cube_id uuid NOT NULL REFERENCES cubes (id) ON DELETE CASCADE,
    template_id uuid NOT NULL REFERENCES profile_templates (id) ON DELETE CASCADE,
    project_id uuid NOT NULL,
    metadata jsonb NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (cube_id, template_id)
);
CREATE INDEX profiles_template_id_idx ON profiles (template_id);
"""

POLICY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON {table} USING (project_id = (SELECT memcubed_tenant()));
"""

DOWNGRADE = """
DROP TABLE profiles;
DROP TABLE profile_templates;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    for table in TENANT_TABLES:
        op.execute(POLICY.format(table=table))


def downgrade() -> None:
    op.execute(DOWNGRADE)
