"""The doctor's questions to the database, and its remedies, each about one project."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.doctor.model import Check, Finding, QueueState, Waiting

_NO_JOB: Final = """
NOT EXISTS (
    SELECT FROM procrastinate_jobs j
    WHERE j.status IN ('todo', 'doing') AND j.args ->> 'task_id' = s.task_id::text
        AND j.args ->> 'cube_id' = s.cube_id::text
)
"""

_NOT_BEING_READ: Final = """
NOT EXISTS (
    SELECT FROM procrastinate_jobs j WHERE j.status IN ('todo', 'doing') AND j.args ->> 'file_id' = f.id::text
)
"""

_STUCK_FILES: Final = f"""
SELECT f.id::text FROM knowledge_files f
WHERE f.project_id = :project AND f.status = 'PROCESSING' AND {_NOT_BEING_READ}
"""

# Pieces of a document are deleted with their file only, and what feedback archives is there still.
_UNREAD_FILES: Final = """
SELECT f.id::text FROM knowledge_files f
WHERE f.project_id = :project AND f.status = 'COMPLETED' AND (
    f.pieces IS NULL OR f.pieces > (
        SELECT count(*) FROM memories m
        WHERE m.project_id = :project AND m.cube_id = f.cube_id AND m.extractor = 'document'
            AND m.conversation_id = f.id::text
    )
)
"""

# All else that belongs to something has a foreign key to it, and goes with it: shares, sources, vectors, versions and
# recalls of memories, readings of messages, parts of files, usage of tasks. A deleted successor leaves its predecessor
# archived, as it was. No share is there twice: its cube and its task are its key.
_ORPHANED: Final = """
m.project_id = :project AND (
    m.kind = 'profile' AND NOT EXISTS (
        SELECT FROM profiles p
        WHERE p.project_id = :project AND p.cube_id = m.cube_id AND p.template_id::text = m.details ->> 'template_id'
    )
    OR m.extractor = 'document' AND NOT EXISTS (
        SELECT FROM knowledge_files f
        WHERE f.project_id = :project AND f.cube_id = m.cube_id AND f.id::text = m.conversation_id
    )
)
"""

_DUPLICATE_JOBS: Final = """
SELECT id FROM (
    SELECT id, row_number() OVER (
        PARTITION BY task_name, args ->> 'cube_id', args ->> 'task_id', args ->> 'file_id' ORDER BY status, id
    ) AS place
    FROM procrastinate_jobs
    WHERE status IN ('todo', 'doing') AND args ->> 'project_id' = CAST(:project AS text)
        AND (args ? 'task_id' OR args ? 'file_id')
) j
WHERE place > 1
"""

_QUESTIONS: Final[Mapping[Check, str]] = {
    Check.STUCK_SHARES: f"""
        SELECT s.task_id || ' in cube ' || s.cube_id AS id FROM task_shares s
        WHERE s.project_id = :project AND s.status = 'running' AND {_NO_JOB}
    """,
    Check.STUCK_FILES: _STUCK_FILES,
    Check.UNREAD_FILES: _UNREAD_FILES,
    Check.UNACCOUNTED_MESSAGES: """
        SELECT m.id::text FROM messages m
        WHERE m.project_id = :project AND NOT EXISTS (
            SELECT FROM task_shares s
            WHERE s.project_id = :project AND s.cube_id = m.cube_id AND s.task_id = m.task_id
        )
    """,
    Check.UNFINISHED_TASKS: """
        SELECT t.id::text FROM tasks t
        WHERE t.project_id = :project AND t.finished_at IS NULL AND NOT EXISTS (
            SELECT FROM task_shares s WHERE s.project_id = :project AND s.task_id = t.id AND s.status = 'running'
        )
    """,
    Check.LINGERING_TURNS: """
        SELECT m.id::text FROM memories m JOIN task_shares s ON s.cube_id = m.cube_id AND s.task_id = m.task_id
        WHERE m.project_id = :project AND s.project_id = :project AND m.layer = 'WorkingMemory'
            AND m.status = 'activated' AND s.status = 'completed'
    """,
    # What is uploaded, typed into a profile or distilled from many conversations has no message of its own.
    Check.UNSOURCED_MEMORIES: """
        SELECT m.id::text FROM memories m
        WHERE m.project_id = :project AND m.source_role <> 'document' AND m.kind NOT IN ('profile', 'skill')
            AND NOT EXISTS (
                SELECT FROM memory_sources x
                WHERE x.project_id = :project AND x.cube_id = m.cube_id AND x.memory_id = m.id
            )
    """,
    Check.UNEMBEDDED_MEMORIES: """
        SELECT m.id::text FROM memories m
        WHERE m.project_id = :project AND m.status = 'activated' AND CAST(:space AS text) IS NOT NULL
            AND NOT EXISTS (
                SELECT FROM memory_vectors v
                WHERE v.project_id = :project AND v.cube_id = m.cube_id AND v.memory_id = m.id AND v.space = :space
            )
    """,
    Check.OLD_VECTORS: """
        SELECT v.memory_id || ' (' || v.space || ')' AS id FROM memory_vectors v
        WHERE v.project_id = :project AND v.space <> :space AND EXISTS (
            SELECT FROM memory_vectors w
            WHERE w.project_id = :project AND w.cube_id = v.cube_id AND w.memory_id = v.memory_id AND w.space = :space
        )
    """,
    Check.ORPHANED_MEMORIES: f"SELECT m.id::text FROM memories m WHERE {_ORPHANED}",
    Check.DUPLICATE_MEMORIES: """
        SELECT id::text FROM (
            SELECT id, row_number() OVER (PARTITION BY cube_id, fingerprint ORDER BY sequence) AS place FROM memories
            WHERE project_id = :project AND status = 'activated' AND layer <> 'WorkingMemory'
                AND source_role <> 'document'
                AND kind IN ('fact', 'explicit_preference', 'implicit_preference', 'event')
        ) m
        WHERE place > 1
    """,
    Check.DUPLICATE_JOBS: f"SELECT id::text FROM ({_DUPLICATE_JOBS}) j",
    Check.VERSIONLESS_MEMORIES: """
        SELECT m.id::text FROM memories m
        WHERE m.project_id = :project AND m.layer <> 'WorkingMemory' AND NOT EXISTS (
            SELECT FROM memory_versions v
            WHERE v.project_id = :project AND v.cube_id = m.cube_id AND v.memory_id = m.id
        )
    """,
}

# What is put in order by a statement; stuck work and missing vectors are put in order by jobs.
_REMEDIES: Final[Mapping[Check, str]] = {
    Check.UNFINISHED_TASKS: """
        UPDATE tasks t SET finished_at = now(), running_body_hash = NULL
        WHERE t.project_id = :project AND t.finished_at IS NULL AND NOT EXISTS (
            SELECT FROM task_shares s WHERE s.project_id = :project AND s.task_id = t.id AND s.status = 'running'
        )
    """,
    Check.LINGERING_TURNS: """
        UPDATE memories m SET status = 'archived', updated_at = now() FROM task_shares s
        WHERE m.project_id = :project AND s.project_id = :project AND s.cube_id = m.cube_id AND s.task_id = m.task_id
            AND m.layer = 'WorkingMemory' AND m.status = 'activated' AND s.status = 'completed'
    """,
    Check.OLD_VECTORS: """
        DELETE FROM memory_vectors v
        WHERE v.project_id = :project AND v.space <> :space AND EXISTS (
            SELECT FROM memory_vectors w
            WHERE w.project_id = :project AND w.cube_id = v.cube_id AND w.memory_id = v.memory_id AND w.space = :space
        )
    """,
    Check.ORPHANED_MEMORIES: f"DELETE FROM memories m WHERE {_ORPHANED}",
    Check.DUPLICATE_JOBS: f"DELETE FROM procrastinate_jobs WHERE status = 'todo' AND id IN ({_DUPLICATE_JOBS})",
    Check.VERSIONLESS_MEMORIES: """
        INSERT INTO memory_versions (cube_id, memory_id, version, project_id, key, value, reasoning, reason, created_at)
        SELECT m.cube_id, m.id, 1, m.project_id, m.key, m.value, m.reasoning, 'created', m.created_at FROM memories m
        WHERE m.project_id = :project AND m.layer <> 'WorkingMemory' AND NOT EXISTS (
            SELECT FROM memory_versions v
            WHERE v.project_id = :project AND v.cube_id = m.cube_id AND v.memory_id = m.id
        )
    """,
    Check.UNACCOUNTED_MESSAGES: """
        INSERT INTO task_shares (cube_id, task_id, project_id, status)
        SELECT DISTINCT m.cube_id, m.task_id, m.project_id, 'running' FROM messages m
        WHERE m.project_id = :project
        ON CONFLICT DO NOTHING
    """,
}

_COUNTS: Final = """
SELECT
    (SELECT count(*) FROM messages WHERE project_id = :project) AS messages,
    (SELECT count(*) FROM memories WHERE project_id = :project AND status = 'activated') AS memories,
    (SELECT count(*) FROM memories WHERE project_id = :project AND status <> 'activated') AS archived,
    (SELECT count(DISTINCT task_id) FROM task_shares WHERE project_id = :project AND status = 'running') AS running,
    (SELECT count(DISTINCT task_id) FROM task_shares WHERE project_id = :project AND status = 'failed') AS failed
"""

_WAITING: Final = """
SELECT last_error AS reason, count(DISTINCT task_id) AS tasks FROM task_shares
WHERE project_id = :project AND status = 'running' AND last_error IS NOT NULL
GROUP BY last_error ORDER BY tasks DESC, reason LIMIT 20
"""

_QUEUE: Final = """
SELECT count(*) FILTER (WHERE status = 'todo') AS waiting, count(*) FILTER (WHERE status = 'doing') AS running,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    min(coalesce(scheduled_at, (SELECT min(at) FROM procrastinate_events e WHERE e.job_id = j.id)))
        FILTER (WHERE status = 'todo' AND coalesce(scheduled_at, now()) <= now()) AS oldest
FROM procrastinate_jobs j
"""

_STUCK: Final = f"""
SELECT s.cube_id, s.task_id FROM task_shares s
WHERE s.project_id = :project AND s.status = 'running' AND {_NO_JOB}
ORDER BY s.cube_id, s.task_id
"""


class DoctorRepository:
    """The state of one project; `space` is the current vector space, None when it is not known."""

    def __init__(self, connection: AsyncConnection, project_id: UUID, space: str | None) -> None:
        self._connection = connection
        self._values = {"project": project_id, "space": space}

    async def examine(self, check: Check) -> Finding:
        """How many rows are out of order in this way, the first five by name."""
        statement = (
            f"SELECT count(*) AS number, (array_agg(id ORDER BY id))[1:5] AS examples FROM ({_QUESTIONS[check]}) q"
        )
        row = (await self._connection.execute(text(statement), self._values)).one()
        return Finding(check, row.number, tuple(row.examples or ()))

    async def remedy(self, check: Check) -> int:
        """Put in order what a statement can; how many rows."""
        statement = _REMEDIES.get(check)
        if statement is None:
            return 0
        return (await self._connection.execute(text(statement), self._values)).rowcount

    async def list_stuck(self) -> list[tuple[UUID, UUID]]:
        """The cube and the task of each stuck share."""
        rows = await self._connection.execute(text(_STUCK), self._values)
        return [(row.cube_id, row.task_id) for row in rows]

    async def list_files_to_read(self) -> dict[Check, list[UUID]]:
        """The files that are to be put on the queue, by what is wrong with them."""
        found = {}
        for check in (Check.STUCK_FILES, Check.UNREAD_FILES):
            rows = await self._connection.execute(text(_QUESTIONS[check]), self._values)
            found[check] = [UUID(id_) for id_ in rows.scalars()]
        return found

    async def list_unembedded_cubes(self) -> list[UUID]:
        """The cubes with memories that have no vector in the space."""
        question = _QUESTIONS[Check.UNEMBEDDED_MEMORIES].replace("m.id::text", "DISTINCT m.cube_id")
        return list((await self._connection.execute(text(question), self._values)).scalars())

    async def count(self) -> tuple[int, int, int, int, int]:
        """Messages, activated memories, all other memories, running tasks, failed tasks."""
        row = (await self._connection.execute(text(_COUNTS), self._values)).one()
        return row.messages, row.memories, row.archived, row.running, row.failed

    async def list_waiting(self) -> list[Waiting]:
        """Why running tasks were not done at the last try."""
        rows = await self._connection.execute(text(_WAITING), self._values)
        return [Waiting(row.reason, row.tasks) for row in rows]

    async def queue_state(self) -> QueueState:
        """The jobs of the whole installation."""
        row = (await self._connection.execute(text(_QUEUE))).one()
        return QueueState(row.waiting, row.running, row.failed, row.oldest)
