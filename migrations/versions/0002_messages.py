"""Cubes, the messages posted to them, and the tasks that turn messages into memories."""

from alembic import op

revision = "0002"
down_revision = "0001"

TENANT_TABLES = ("cubes", "tasks", "task_shares", "messages")

UPGRADE = """
CREATE TABLE cubes (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    kind text NOT NULL,
    owner text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, kind, owner)
);

CREATE TABLE tasks (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    options jsonb NOT NULL,
    idempotency_key text,
    body_hash text NOT NULL,
    -- the body's hash while the task of a request without an idempotency key is running, to recognise its repeat
    running_body_hash text,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    UNIQUE (project_id, idempotency_key),
    UNIQUE (project_id, running_body_hash)
);

-- What one task has to do in one cube: a conversation of several people is a share for each of them.
CREATE TABLE task_shares (
    cube_id uuid NOT NULL REFERENCES cubes (id) ON DELETE CASCADE,
    task_id uuid NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    project_id uuid NOT NULL,
    status text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    receipt jsonb,
    finished_at timestamptz,
    PRIMARY KEY (cube_id, task_id)
);
CREATE INDEX task_shares_task_id_idx ON task_shares (task_id);

CREATE TABLE messages (
    cube_id uuid NOT NULL REFERENCES cubes (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    task_id uuid NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    position bigint GENERATED ALWAYS AS IDENTITY,
    conversation_id text NOT NULL,
    role text NOT NULL,
    speaker text,
    text text NOT NULL,
    -- the message as it was sent, whole
    payload jsonb NOT NULL,
    chat_time timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (cube_id, id)
);
CREATE INDEX messages_conversation_idx ON messages (cube_id, conversation_id, position);
CREATE INDEX messages_task_id_idx ON messages (task_id);
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
    for table in reversed(TENANT_TABLES):
        op.execute(f"DROP TABLE {table}")
