"""Memories made, and what was paid for them, by kind: of each project and day, and of each task."""

from alembic import op

revision = "0022"
down_revision = "0021"

UPGRADE = """
CREATE TABLE usage_day_kinds (
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    day date NOT NULL,
    kind text NOT NULL,
    memories bigint NOT NULL,
    -- of what usage_days has, the part of this kind; what no kind has is the rest
    calls bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    PRIMARY KEY (project_id, day, kind)
);

CREATE TABLE usage_task_kinds (
    task_id uuid NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    project_id uuid NOT NULL,
    kind text NOT NULL,
    memories bigint NOT NULL,
    calls bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    PRIMARY KEY (task_id, kind)
);
"""

POLICY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON {table} USING (project_id = (SELECT memcubed_tenant()));
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    for table in ("usage_day_kinds", "usage_task_kinds"):
        op.execute(POLICY.format(table=table))


def downgrade() -> None:
    op.execute("DROP TABLE usage_task_kinds")
    op.execute("DROP TABLE usage_day_kinds")
