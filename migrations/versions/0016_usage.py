"""What model calls cost: by project, day, purpose and model, and by task."""

from alembic import op

revision = "0016"
down_revision = "0015"

UPGRADE = """
CREATE TABLE usage_days (
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    day date NOT NULL,
    purpose text NOT NULL,
    model text NOT NULL,
    calls bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    PRIMARY KEY (project_id, day, purpose, model)
);

CREATE TABLE usage_tasks (
    task_id uuid NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    project_id uuid NOT NULL,
    purpose text NOT NULL,
    model text NOT NULL,
    calls bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    PRIMARY KEY (task_id, purpose, model)
);
"""

POLICY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON {table} USING (project_id = (SELECT memcubed_tenant()));
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    for table in ("usage_days", "usage_tasks"):
        op.execute(POLICY.format(table=table))


def downgrade() -> None:
    op.execute("DROP TABLE usage_tasks")
    op.execute("DROP TABLE usage_days")
