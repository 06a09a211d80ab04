"""What was read of the files and images of messages, until the task that reads them has ended."""

from alembic import op

revision = "0015"
down_revision = "0014"

UPGRADE = """
CREATE TABLE message_readings (
    cube_id uuid NOT NULL,
    message_id uuid NOT NULL,
    -- which of the message's parts
    part integer NOT NULL,
    project_id uuid NOT NULL,
    pieces jsonb NOT NULL,
    -- why it could not be read
    failure text,
    PRIMARY KEY (cube_id, message_id, part),
    FOREIGN KEY (cube_id, message_id) REFERENCES messages (cube_id, id) ON DELETE CASCADE
);
ALTER TABLE message_readings ENABLE ROW LEVEL SECURITY;
ALTER TABLE message_readings FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON message_readings USING (project_id = (SELECT memcubed_tenant()));
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("DROP TABLE message_readings")
