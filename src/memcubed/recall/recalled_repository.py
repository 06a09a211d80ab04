"""Recalled memories in the database."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import and_, delete, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Uuid

from memcubed.memories.model import MemoryKind, MemoryLayer
from memcubed.store.tables import memories, recalled_memories

_FRESH: Final = timedelta(hours=1)
"""A row younger than this is not written again."""

_LAST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class RecalledRow:
    """A recalled memory with its text."""

    id: UUID
    kind: MemoryKind
    is_settled: bool
    value: str
    reasoning: str


class RecalledRepository:
    """The recalled memories of one project, in the transaction it is given."""

    def __init__(self, connection: AsyncConnection, project_id: UUID) -> None:
        self._connection = connection
        self._project_id = project_id

    async def add(self, scopes: Sequence[UUID], conversation_id: str, ids: Collection[UUID], *, now: datetime) -> None:
        """Note memories for each scope; those that are gone by now are left out."""
        scope = func.unnest(literal(list(scopes), ARRAY(Uuid))).table_valued("id").render_derived(name="scope")
        noted = (
            select(
                memories.c.cube_id,
                memories.c.id,
                scope.c.id,
                literal(conversation_id),
                memories.c.project_id,
                literal(now),
            )
            .select_from(memories.join(scope, true()))
            .where(memories.c.project_id == self._project_id, memories.c.id.in_(ids))
            .order_by(memories.c.cube_id, memories.c.id)
        )
        statement = insert(recalled_memories).from_select(
            ["cube_id", "memory_id", "scope_id", "conversation_id", "project_id", "recalled_at"], noted
        )
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["cube_id", "memory_id", "scope_id", "conversation_id"],
                set_={"recalled_at": statement.excluded.recalled_at},
                where=recalled_memories.c.recalled_at < statement.excluded.recalled_at - _FRESH,
            )
        )

    async def prune(self, scope_id: UUID, *, before: datetime, most: int) -> None:
        """Forget what is older, and all but the newest `most` of a scope."""
        of_scope = and_(recalled_memories.c.project_id == self._project_id, recalled_memories.c.scope_id == scope_id)
        last_kept = (
            select(recalled_memories.c.recalled_at)
            .where(of_scope)
            .order_by(recalled_memories.c.recalled_at.desc())
            .offset(most)
            .limit(1)
            .scalar_subquery()
        )
        await self._connection.execute(
            delete(recalled_memories).where(
                of_scope, or_(recalled_memories.c.recalled_at < before, recalled_memories.c.recalled_at <= last_kept)
            )
        )

    async def list_recalled(
        self,
        scopes: Sequence[UUID],
        conversation_id: str | None,
        *,
        since: datetime,
        before_task: UUID,
        limit: int,
    ) -> list[RecalledRow]:
        """The newest ones, with their memories' texts; without the memories of a task, and what came after them.

        Those say what the task's messages say, so that held against them the messages would have nothing new.
        """
        own = memories.alias("own")
        first_own = (
            select(func.coalesce(func.min(own.c.sequence), _LAST))
            .where(own.c.project_id == self._project_id, own.c.task_id == before_task)
            .scalar_subquery()
        )
        newest = func.max(recalled_memories.c.recalled_at)
        statement = (
            select(memories.c.id, memories.c.kind, memories.c.layer, memories.c.value, memories.c.reasoning)
            .join(
                recalled_memories,
                and_(recalled_memories.c.cube_id == memories.c.cube_id, recalled_memories.c.memory_id == memories.c.id),
            )
            .where(
                recalled_memories.c.project_id == self._project_id,
                memories.c.project_id == self._project_id,
                recalled_memories.c.scope_id.in_(scopes),
                recalled_memories.c.recalled_at >= since,
                memories.c.sequence < first_own,
            )
            .group_by(memories.c.cube_id, memories.c.id)
            .order_by(newest.desc())
            .limit(limit)
        )
        if conversation_id is not None:
            statement = statement.where(recalled_memories.c.conversation_id.in_([conversation_id, ""]))
        return [
            RecalledRow(row.id, MemoryKind(row.kind), row.layer != MemoryLayer.WORKING, row.value, row.reasoning)
            for row in await self._connection.execute(statement)
        ]
