"""Stored memories, read from the database with what they were made from."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Text, and_, case, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.filters import Condition, matching
from memcubed.memories.model import (
    MemoryKind,
    MemoryLayer,
    MemoryStatus,
    MemoryVersion,
    MemoryView,
    Source,
    SourceRole,
    StoredMemory,
)
from memcubed.messages.model import Role
from memcubed.store.tables import memories, memory_sources, memory_versions, messages

_VIEW: Final = case(
    {kind.value: view.value for view in MemoryView for kind in sorted(view.kinds)}, value=memories.c.kind
)


@dataclass(frozen=True, slots=True)
class Listing:
    """Which memories are listed: of each cube those that meet its condition, or all."""

    cubes: Mapping[UUID, Condition | None]
    kinds: frozenset[MemoryKind]
    status: MemoryStatus


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

    async def count(self, listing: Listing) -> dict[MemoryView, int]:
        """How many memories there are to list, by view; a view without any is left out."""
        rows = await self._connection.execute(
            select(_VIEW.label("view"), func.count().label("number")).where(*self._conditions(listing)).group_by("view")
        )
        return {MemoryView(row.view): row.number for row in rows}

    async def list_page(self, listing: Listing, *, page: int, size: int) -> list[StoredMemory]:
        """A page of each view by itself, the newest memories first. The first page is 1."""
        newest_first = (memories.c.created_at.desc(), memories.c.sequence.desc())
        places = (
            select(
                memories.c.cube_id,
                memories.c.id,
                func.row_number().over(partition_by=_VIEW, order_by=newest_first).label("place"),
            )
            .where(*self._conditions(listing))
            .subquery()
        )
        rows = await self._connection.execute(
            select(memories)
            .join(places, and_(memories.c.cube_id == places.c.cube_id, memories.c.id == places.c.id))
            .where(
                memories.c.project_id == self._project_id,
                places.c.place.between((page - 1) * size + 1, page * size),
            )
            .order_by(*newest_first)
        )
        return await self._stored(rows.all())

    async def list_versions(self, memory: StoredMemory) -> list[MemoryVersion]:
        """A memory's history, the oldest first; empty for raw turns, which nobody has changed."""
        rows = await self._connection.execute(
            select(memory_versions)
            .where(
                memory_versions.c.project_id == self._project_id,
                memory_versions.c.cube_id == memory.cube_id,
                memory_versions.c.memory_id == memory.id,
            )
            .order_by(memory_versions.c.version)
        )
        return [
            MemoryVersion(row.version, row.key, row.value, row.reasoning, row.reason, row.superseded_by, row.created_at)
            for row in rows
        ]

    def _conditions(self, listing: Listing) -> list[ColumnElement[bool]]:
        conditions = [
            memories.c.project_id == self._project_id,
            or_(*(_in_cube(cube_id, condition) for cube_id, condition in listing.cubes.items())),
            memories.c.kind.in_([kind.value for kind in listing.kinds]),
            memories.c.status == listing.status,
        ]
        if listing.status is not MemoryStatus.ACTIVATED:
            # Raw turns that gave way to what was made of them.
            conditions.append(memories.c.layer != MemoryLayer.WORKING)
        return conditions

    async def list_carrying(self, cube_id: UUID, phrase: str, limit: int) -> list[tuple[StoredMemory, str]]:
        """A cube's activated memories in which a phrase stands, in whichever case, each with its text for the indexes.

        What the phrase is a part of counts as well (用户1 in 用户10): who asks decides.
        """
        texts = (
            memories.c.key,
            memories.c.value,
            memories.c.reasoning,
            memories.c.index_text,
            cast(memories.c.details, Text),
            func.array_to_string(memories.c.tags, "\n"),
        )
        rows = await self._connection.execute(
            select(memories)
            .where(
                memories.c.project_id == self._project_id,
                memories.c.cube_id == cube_id,
                memories.c.status == MemoryStatus.ACTIVATED,
                or_(*(text.icontains(phrase, autoescape=True) for text in texts)),
            )
            .order_by(memories.c.id)
            .limit(limit)
        )
        found = rows.all()
        return list(zip(await self._stored(found), [row.index_text for row in found], strict=True))

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


def _in_cube(cube_id: UUID, condition: Condition | None) -> ColumnElement[bool]:
    is_there = memories.c.cube_id == cube_id
    return is_there if condition is None else and_(is_there, matching(condition))


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
