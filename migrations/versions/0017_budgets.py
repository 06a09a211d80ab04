"""What a project may spend a day, and how often the try of a share was put off because of it."""

from alembic import op

revision = "0017"
down_revision = "0016"

UPGRADE = """
-- NULL: the installation's setting; 0: no limit
ALTER TABLE projects ADD COLUMN daily_token_budget bigint;
ALTER TABLE task_shares ADD COLUMN waits integer NOT NULL DEFAULT 0;
"""

DOWNGRADE = """
ALTER TABLE task_shares DROP COLUMN waits;
ALTER TABLE projects DROP COLUMN daily_token_budget;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
