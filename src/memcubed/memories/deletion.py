"""Deletions in the database.

Whoever writes into a cube holds its row first (`store.cubes.ensure_cubes`), then its share of a task, then the task.
Who deletes an owner takes them in the same order, so that neither waits for the other in a circle.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, false, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as POSTGRES_UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.filters import Condition, matching
from memcubed.memories.model import SourceRole
from memcubed.memories.types import MemoryType
from memcubed.store.cubes import Cube, CubeKind
from memcubed.store.tables import cubes, memories, memory_sources, messages, task_shares, tasks

# A running job ends by itself: the share that it works for is gone.
_DELETE_JOBS: Final = text("""
    DELETE FROM procrastinate_jobs
    WHERE status <> 'doing'
        AND (args ->> 'cube_id' = :cube_id OR args ->> 'task_id' = ANY(CAST(CAST(:task_ids AS uuid[]) AS text[])))
""")

_PARTICIPANTS: Final = {
    CubeKind.USER: (CubeKind.USER,),
    CubeKind.AGENT: (CubeKind.USER, CubeKind.AGENT),
}
"""Whose part in a conversation makes it theirs as well, by the kind of owner that is deleted."""


@dataclass(frozen=True, slots=True)
class Deletable:
    """A memory that is about to be deleted. `is_document` says that it is a piece of a knowledge base's document."""

    id: UUID
    is_of_type: bool
    is_document: bool


class DeletionRepository:
    """Deletes within one project, in the transaction it is given."""

    def __init__(self, connection: AsyncConnection, project_id: UUID) -> None:
        self._connection = connection
        self._project_id = project_id

    async def lock(self, memory_ids: Collection[UUID], of_type: MemoryType | None) -> dict[UUID, Deletable]:
        """Those of these memories that exist; nobody else changes them before this transaction ends."""
        rows = await self._connection.execute(
            select(
                memories.c.id,
                _is_of_type(of_type).label("is_of_type"),
                _is_document().label("is_document"),
            )
            .where(memories.c.project_id == self._project_id, memories.c.id.in_(memory_ids))
            .order_by(memories.c.id)
            .with_for_update()
        )
        return {row.id: Deletable(row.id, row.is_of_type, row.is_document) for row in rows}

    async def delete(self, memory_ids: Collection[UUID]) -> None:
        """Delete these memories with their vectors, sources and versions."""
        await self._connection.execute(
            delete(memories).where(memories.c.project_id == self._project_id, memories.c.id.in_(memory_ids))
        )

    async def delete_matching(self, conditions: Mapping[CubeKind, Condition], of_type: MemoryType | None) -> int:
        """Delete what meets the condition for its kind of cube, pieces of documents excepted; how many."""
        meets = or_(
            false(), *(and_(cubes.c.kind == kind, matching(condition)) for kind, condition in conditions.items())
        )
        deleted = await self._connection.execute(
            delete(memories).where(
                memories.c.project_id == self._project_id,
                cubes.c.project_id == self._project_id,
                cubes.c.id == memories.c.cube_id,
                meets,
                _is_of_type(of_type),
                ~_is_document(),
            )
        )
        return deleted.rowcount

    async def delete_of_type(self, cube: Cube, of_type: MemoryType) -> bool:
        """Delete a cube's memories of a type; False when there is no such cube."""
        if not await self._lock_cube(cube, shared=True):
            return False
        await self._connection.execute(
            delete(memories).where(
                memories.c.project_id == self._project_id, memories.c.cube_id == cube.id, _is_of_type(of_type)
            )
        )
        return True

    async def delete_owner(self, cube: Cube) -> bool:
        """Delete a user or an agent with everything; False when there is no such cube.

        That is the cube with all that lives in it, the tasks that nobody else has a part in, what other cubes hold of
        those tasks, and the jobs that were to work on any of it.
        """
        if not await self._lock_cube(cube):
            return False
        shared = await self._lock_tasks(cube)
        own = await self._list_own_tasks(cube)
        await self._delete_copies(cube, own)
        await self._connection.execute(
            _DELETE_JOBS.bindparams(bindparam("task_ids", own, ARRAY(POSTGRES_UUID))), {"cube_id": str(cube.id)}
        )
        await self._connection.execute(delete(tasks).where(tasks.c.project_id == self._project_id, tasks.c.id.in_(own)))
        await self._connection.execute(
            delete(cubes).where(cubes.c.project_id == self._project_id, cubes.c.id == cube.id)
        )
        await self._end_tasks(shared)
        return True

    async def _lock_cube(self, cube: Cube, *, shared: bool = False) -> bool:
        statement = select(cubes.c.id).where(cubes.c.project_id == self._project_id, cubes.c.id == cube.id)
        locked = statement.with_for_update(read=shared, key_share=shared)
        return (await self._connection.execute(locked)).one_or_none() is not None

    async def _lock_tasks(self, cube: Cube) -> list[UUID]:
        """Keep the cube's tasks, and all their shares, from ending meanwhile."""
        its_tasks = select(task_shares.c.task_id).where(
            task_shares.c.project_id == self._project_id, task_shares.c.cube_id == cube.id
        )
        await self._connection.execute(
            select(task_shares.c.task_id)
            .where(task_shares.c.project_id == self._project_id, task_shares.c.task_id.in_(its_tasks))
            .order_by(task_shares.c.task_id, task_shares.c.cube_id)
            .with_for_update()
        )
        locked = await self._connection.execute(
            select(tasks.c.id)
            .where(tasks.c.project_id == self._project_id, tasks.c.id.in_(its_tasks))
            .order_by(tasks.c.id)
            # weaker than a full lock, since a memory that is being stored holds its task's key
            .with_for_update(key_share=True)
        )
        return list(locked.scalars())

    async def _list_own_tasks(self, cube: Cube) -> list[UUID]:
        others, other_cubes = task_shares.alias(), cubes.alias()
        has_others = exists(
            select(others.c.task_id)
            .join(other_cubes, other_cubes.c.id == others.c.cube_id)
            .where(
                others.c.project_id == self._project_id,
                others.c.task_id == task_shares.c.task_id,
                others.c.cube_id != cube.id,
                other_cubes.c.kind.in_([kind.value for kind in _PARTICIPANTS[cube.kind]]),
            )
        )
        rows = await self._connection.execute(
            select(task_shares.c.task_id).where(
                task_shares.c.project_id == self._project_id, task_shares.c.cube_id == cube.id, ~has_others
            )
        )
        return list(rows.scalars())

    async def _delete_copies(self, cube: Cube, task_ids: Collection[UUID]) -> None:
        """Delete what other cubes got from these tasks, but for memories that have other sources as well."""
        elsewhere = (
            messages.c.project_id == self._project_id,
            messages.c.task_id.in_(task_ids),
            messages.c.cube_id != cube.id,
        )
        found = await self._connection.execute(
            select(memory_sources.c.cube_id, memory_sources.c.memory_id)
            .distinct()
            .join(
                messages,
                and_(messages.c.cube_id == memory_sources.c.cube_id, messages.c.id == memory_sources.c.message_id),
            )
            .where(memory_sources.c.project_id == self._project_id, *elsewhere)
        )
        touched = [(row.cube_id, row.memory_id) for row in found]
        await self._connection.execute(delete(messages).where(*elsewhere))
        has_sources = exists(
            select(memory_sources.c.memory_id).where(
                memory_sources.c.project_id == self._project_id,
                memory_sources.c.cube_id == memories.c.cube_id,
                memory_sources.c.memory_id == memories.c.id,
            )
        )
        of_them = and_(memories.c.task_id.in_(task_ids), memories.c.cube_id != cube.id)
        # Made by a task that is gone already, of which only these messages were left.
        orphaned = and_(tuple_(memories.c.cube_id, memories.c.id).in_(touched), memories.c.task_id.is_(None))
        await self._connection.execute(
            delete(memories).where(memories.c.project_id == self._project_id, or_(of_them, orphaned), ~has_sources)
        )

    async def _end_tasks(self, task_ids: Collection[UUID]) -> None:
        """End those of these tasks whose last running share was deleted."""
        is_running = exists(
            select(task_shares.c.task_id).where(
                task_shares.c.task_id == tasks.c.id, task_shares.c.finished_at.is_(None)
            )
        )
        await self._connection.execute(
            update(tasks)
            .where(
                tasks.c.project_id == self._project_id,
                tasks.c.id.in_(task_ids),
                tasks.c.finished_at.is_(None),
                ~is_running,
            )
            .values(finished_at=text("now()"), running_body_hash=None)
        )


def _is_of_type(of_type: MemoryType | None) -> ColumnElement[bool]:
    if of_type is None:
        return memories.c.id.is_not(None)
    is_kind = memories.c.kind.in_([kind.value for kind in of_type.kinds])
    return is_kind if of_type.layer is None else and_(is_kind, memories.c.layer == of_type.layer)


def _is_document() -> ColumnElement[bool]:
    """Whether a memory is a piece of a document in a knowledge base, which is deleted with its file."""
    bases = cubes.alias()
    knowledge = select(bases.c.id).where(bases.c.id == memories.c.cube_id, bases.c.kind == CubeKind.KNOWLEDGE_BASE)
    return and_(memories.c.source_role == SourceRole.DOCUMENT, exists(knowledge))
