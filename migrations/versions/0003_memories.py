"""Memories with their vectors, words, sources and versions."""

from alembic import op

revision = "0003"
down_revision = "0002"

TENANT_TABLES = ("memories", "memory_vectors", "memory_sources", "memory_versions")

UPGRADE = """
CREATE TABLE memories (
    cube_id uuid NOT NULL REFERENCES cubes (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    -- memories of a conversation in the order of what they were made from
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    task_id uuid REFERENCES tasks (id) ON DELETE SET NULL,
    kind text NOT NULL,
    layer text NOT NULL,
    status text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    reasoning text NOT NULL DEFAULT '',
    -- what is embedded and indexed by words, and what stood around it, which is indexed by words alone
    index_text text NOT NULL,
    context_text text NOT NULL DEFAULT '',
    -- the least trusted role among the messages it was made from, and who spoke in a conversation of several
    source_role text NOT NULL,
    speaker text,
    words tsvector NOT NULL,
    word_count integer NOT NULL,
    tags text[] NOT NULL DEFAULT '{}',
    info jsonb NOT NULL DEFAULT '{}',
    confidence real NOT NULL,
    conversation_id text NOT NULL,
    app_id text,
    agent_id text,
    extractor text NOT NULL,
    -- equal for memories that say the same, to the letter but for case, space and punctuation
    fingerprint text NOT NULL,
    -- when it was said, and when what it tells happened or will happen
    told_at timestamptz NOT NULL,
    memory_time timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (cube_id, id)
);
CREATE INDEX memories_fingerprint_idx ON memories (cube_id, fingerprint);
CREATE INDEX memories_task_id_idx ON memories (task_id);

CREATE TABLE memory_vectors (
    cube_id uuid NOT NULL,
    memory_id uuid NOT NULL,
    project_id uuid NOT NULL,
    -- name and version of the embedding model; vectors of two spaces are never compared
    space text NOT NULL,
    embedding halfvec NOT NULL,
    PRIMARY KEY (cube_id, memory_id, space),
    FOREIGN KEY (cube_id, memory_id) REFERENCES memories (cube_id, id) ON DELETE CASCADE
);
-- Exact scans read every vector of a cube: keep them in the row, not in a TOAST table.
ALTER TABLE memory_vectors SET (toast_tuple_target = 8160);

-- How scores in a vector space become relativity; of no project, since models are the installation's.
CREATE TABLE calibrations (
    space text PRIMARY KEY,
    middle real NOT NULL,
    noise real NOT NULL,
    gain real NOT NULL,
    shift real NOT NULL,
    fitted_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE memory_sources (
    cube_id uuid NOT NULL,
    memory_id uuid NOT NULL,
    message_id uuid NOT NULL,
    project_id uuid NOT NULL,
    PRIMARY KEY (cube_id, memory_id, message_id),
    FOREIGN KEY (cube_id, memory_id) REFERENCES memories (cube_id, id) ON DELETE CASCADE,
    FOREIGN KEY (cube_id, message_id) REFERENCES messages (cube_id, id) ON DELETE CASCADE
);
CREATE INDEX memory_sources_message_idx ON memory_sources (cube_id, message_id);

CREATE TABLE memory_versions (
    cube_id uuid NOT NULL,
    memory_id uuid NOT NULL,
    version integer NOT NULL,
    project_id uuid NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    reasoning text NOT NULL,
    reason text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (cube_id, memory_id, version),
    FOREIGN KEY (cube_id, memory_id) REFERENCES memories (cube_id, id) ON DELETE CASCADE
);
"""

POLICY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON {table} USING (project_id = (SELECT memcubed_tenant()));
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    for table in TENANT_TABLES:
        op.execute(POLICY.format(table=table))


def downgrade() -> None:
    for table in (*reversed(TENANT_TABLES), "calibrations"):
        op.execute(f"DROP TABLE {table}")
