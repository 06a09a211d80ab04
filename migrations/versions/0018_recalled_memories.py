"""Which memories were recalled lately, for whom and in which conversation."""

from alembic import op

revision = "0018"
down_revision = "0017"

# The scope is the cube that was searched for, whose messages a memory may come back in. It has no foreign key: a search
# makes no cubes.
UPGRADE = """
CREATE TABLE recalled_memories (
    cube_id uuid NOT NULL,
    memory_id uuid NOT NULL,
    scope_id uuid NOT NULL,
    conversation_id text NOT NULL,
    project_id uuid NOT NULL,
    recalled_at timestamptz NOT NULL,
    PRIMARY KEY (cube_id, memory_id, scope_id, conversation_id),
    FOREIGN KEY (cube_id, memory_id) REFERENCES memories (cube_id, id) ON DELETE CASCADE
);
CREATE INDEX recalled_memories_scope_idx ON recalled_memories (scope_id, recalled_at);
ALTER TABLE recalled_memories ENABLE ROW LEVEL SECURITY;
ALTER TABLE recalled_memories FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON recalled_memories USING (project_id = (SELECT memcubed_tenant()));
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("DROP TABLE recalled_memories")
