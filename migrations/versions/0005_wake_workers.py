"""Tell workers when a lock is free: procrastinate announces new jobs, but not those that waited for a lock."""

from alembic import op

revision = "0005"
down_revision = "0004"

UPGRADE = """
CREATE FUNCTION memcubed_wake_workers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM procrastinate_jobs
        WHERE lock = OLD.lock AND status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
    ) THEN
        PERFORM pg_notify(
            'procrastinate_any_queue_v1', json_build_object('type', 'job_inserted', 'job_id', OLD.id)::text
        );
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER memcubed_lock_released AFTER UPDATE OF status ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.status = 'doing' AND NEW.status <> 'doing' AND OLD.lock IS NOT NULL)
    EXECUTE FUNCTION memcubed_wake_workers();

CREATE TRIGGER memcubed_lock_deleted AFTER DELETE ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.status = 'doing' AND OLD.lock IS NOT NULL)
    EXECUTE FUNCTION memcubed_wake_workers();

-- A cube's waiting jobs, so that looking for them does not read the whole backlog.
CREATE INDEX memcubed_waiting_jobs_idx ON procrastinate_jobs (lock) WHERE status = 'todo';
"""

DOWNGRADE = """
DROP INDEX memcubed_waiting_jobs_idx;
DROP TRIGGER memcubed_lock_deleted ON procrastinate_jobs;
DROP TRIGGER memcubed_lock_released ON procrastinate_jobs;
DROP FUNCTION memcubed_wake_workers();
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
