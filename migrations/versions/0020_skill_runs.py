"""How far skills were distilled from each cube's tasks, and which tasks ask for them."""

from alembic import op

revision = "0020"
down_revision = "0019"

UPGRADE = """
CREATE TABLE skill_runs (
    cube_id uuid PRIMARY KEY REFERENCES cubes (id) ON DELETE CASCADE,
    project_id uuid NOT NULL,
    -- tasks that ended by then have been looked at
    seen_until timestamptz NOT NULL
);
ALTER TABLE skill_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE skill_runs FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON skill_runs USING (project_id = (SELECT memcubed_tenant()));

-- Writes wait while it is built, for as long as reading the tasks once takes; hardly any of them belong into it.
CREATE INDEX tasks_skills_idx ON tasks (project_id, finished_at) WHERE options -> 'kinds' ? 'skill';
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("DROP INDEX tasks_skills_idx")
    op.execute("DROP TABLE skill_runs")
