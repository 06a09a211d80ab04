"""Stored memories, read from the database with what they were made from."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.memories.model import MemoryKind, MemoryLayer, MemoryStatus, Source, SourceRole, StoredMemory
from memcubed.messages.model import Role
from memcubed.store.tables import memories, memory_sources, messages


class MemoryReader:
    """Reads the memories of one project, whichever cube they are in, in the transaction it is given."""

    def __init__(self, connection: AsyncConnection, project_id: UUID) -> None:
        self._connection = connection
        self._project_id = project_id

    async def list_by_id(self, memory_ids: Collection[UUID]) -> list[StoredMemory]:
        """Those of these memories that exist, by id."""
        rows = await self._connection.execute(
            select(memories)
            .where(memories.c.project_id == self._project_id, memories.c.id.in_(memory_ids))
            .order_by(memories.c.id)
        )
        return await self._stored(rows.all())

    async def _stored(self, rows: Sequence[Row[Any]]) -> list[StoredMemory]:
        sources = await self._sources(rows)
        return [_stored(row, sources[row.id]) for row in rows]

    async def _sources(self, rows: Sequence[Row[Any]]) -> dict[UUID, list[Source]]:
        found: dict[UUID, list[Source]] = defaultdict(list)
        if not rows:
            return found
        its_message = and_(messages.c.cube_id == memory_sources.c.cube_id, messages.c.id == memory_sources.c.message_id)
        links = await self._connection.execute(
            select(memory_sources.c.memory_id, messages.c.id, messages.c.role, messages.c.text, messages.c.chat_time)
            .join(messages, its_message)
            .where(
                memory_sources.c.project_id == self._project_id,
                messages.c.project_id == self._project_id,
                memory_sources.c.cube_id.in_({row.cube_id for row in rows}),
                memory_sources.c.memory_id.in_([row.id for row in rows]),
            )
            .order_by(messages.c.position)
        )
        for link in links:
            found[link.memory_id].append(Source(link.id, Role(link.role), link.text, link.chat_time))
        return found


def _stored(row: Row[Any], sources: Sequence[Source]) -> StoredMemory:
    return StoredMemory(
        cube_id=row.cube_id,
        id=row.id,
        kind=MemoryKind(row.kind),
        layer=MemoryLayer(row.layer),
        status=MemoryStatus(row.status),
        key=row.key,
        value=row.value,
        reasoning=row.reasoning,
        tags=tuple(row.tags),
        info=row.info,
        details=row.details,
        weight=row.weight,
        confidence=round(row.confidence, 4),
        conversation_id=row.conversation_id,
        source_role=SourceRole(row.source_role),
        speaker=row.speaker,
        told_at=row.told_at,
        fingerprint=row.fingerprint,
        memory_time=row.memory_time,
        created_at=row.created_at,
        updated_at=row.updated_at,
        sources=tuple(sources),
    )
