"""What the language model answered to jobs that have to be tried again, so that no answer is paid for twice."""

from alembic import op

revision = "0021"
down_revision = "0020"

UPGRADE = """
CREATE TABLE kept_answers (
    cube_id uuid NOT NULL REFERENCES cubes (id) ON DELETE CASCADE,
    -- a hash of the model's name and of all that it was shown
    question text NOT NULL,
    project_id uuid NOT NULL,
    answer text NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (cube_id, question)
);
ALTER TABLE kept_answers ENABLE ROW LEVEL SECURITY;
ALTER TABLE kept_answers FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON kept_answers USING (project_id = (SELECT memcubed_tenant()));
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("DROP TABLE kept_answers")
