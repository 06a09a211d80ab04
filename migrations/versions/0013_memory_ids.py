"""Find a memory by its id alone, whichever cube it is in."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    # Writes wait while it is built: about a second for a million memories. Built concurrently it would wait for the
    # migrations that wait for this one's lock.
    op.execute("CREATE INDEX memories_id_idx ON memories (id)")


def downgrade() -> None:
    op.execute("DROP INDEX memories_id_idx")
