"""What memories have beyond text: details by kind, participants, weight, and what took their place."""

from alembic import op

revision = "0007"
down_revision = "0006"

# Constant defaults, so that no row has to be rewritten.
UPGRADE = """
ALTER TABLE memories
    ADD COLUMN details jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN related_ids text[] NOT NULL DEFAULT '{}',
    ADD COLUMN weight real NOT NULL DEFAULT 1,
    ADD COLUMN superseded_by uuid;
"""

DOWNGRADE = """
ALTER TABLE memories
    DROP COLUMN details,
    DROP COLUMN related_ids,
    DROP COLUMN weight,
    DROP COLUMN superseded_by;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
