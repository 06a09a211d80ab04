"""Memories in the database."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import Row, and_, delete, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.language.words import tokens
from memcubed.memories.fingerprint import fingerprint
from memcubed.memories.model import (
    KnownMemory,
    MemoryKind,
    MemoryLayer,
    MemoryStatus,
    NewMemory,
    Provenance,
    StoredMemory,
    Unembedded,
)
from memcubed.memories.rewriting import Rewrite
from memcubed.providers.embeddings import Vector
from memcubed.store.tables import memories, memory_vectors, memory_versions
from memcubed.store.words import to_tsvector

CREATED: Final = "created"
"""The reason of every memory's first version."""

# In one statement, however many there are.
_ADD_SOURCES: Final = text("""
    INSERT INTO memory_sources (cube_id, memory_id, message_id, project_id)
    SELECT :cube_id, memory_id, message_id, :project_id
    FROM unnest(CAST(:memory_ids AS uuid[]), CAST(:message_ids AS uuid[])) AS source (memory_id, message_id)
    ON CONFLICT DO NOTHING
""")

_MANY: Final = 20
"""From so many memories on, cutting them into words takes long enough to be done in a thread."""


class MemoryRepository:
    """The memories of one cube, in the transaction it is given."""

    def __init__(self, connection: AsyncConnection, project_id: UUID, cube_id: UUID) -> None:
        self._connection = connection
        self._project_id = project_id
        self._cube_id = cube_id
        self._place: dict[str, Any] = {"project_id": project_id, "cube_id": cube_id}

    async def add(
        self, new: Sequence[NewMemory], provenance: Provenance, *, space: str | None, extractor: str, now: datetime
    ) -> list[UUID]:
        """Store memories with their words, vectors (of `space`), sources and first versions; their ids, in order."""
        ids = [memory.id or uuid4() for memory in new]
        pairs = list(zip(ids, new, strict=True))
        if len(pairs) > _MANY:
            rows = await asyncio.to_thread(self._rows, pairs, provenance, extractor, now)
        else:
            rows = self._rows(pairs, provenance, extractor, now)
        vectors = [(id_, memory.vector) for id_, memory in zip(ids, new, strict=True) if memory.vector is not None]
        sources = [(id_, source) for id_, memory in zip(ids, new, strict=True) for source in memory.source_ids]
        settled = [row for row in rows if row["layer"] != MemoryLayer.WORKING]
        if rows:
            await self._connection.execute(insert(memories), rows)
        if space is not None:
            await self._insert_vectors(vectors, space)
        await self.add_sources(sources)
        if settled:
            await self._connection.execute(insert(memory_versions), [self._first_version(row) for row in settled])
        return ids

    def _rows(
        self, pairs: Sequence[tuple[UUID, NewMemory]], provenance: Provenance, extractor: str, now: datetime
    ) -> list[dict[str, Any]]:
        return [self._row(id_, memory, provenance, extractor, now) for id_, memory in pairs]

    def _row(
        self, id_: UUID, memory: NewMemory, provenance: Provenance, extractor: str, now: datetime
    ) -> dict[str, Any]:
        return {
            **self._place,
            "id": id_,
            "task_id": provenance.task_id,
            "kind": memory.kind.value,
            "layer": memory.layer.value,
            "status": MemoryStatus.ACTIVATED.value,
            "key": memory.key,
            "value": memory.value,
            "reasoning": memory.reasoning,
            **_indexed(memory.index_text, memory.context_text),
            "source_role": memory.source_role.value,
            "speaker": memory.speaker,
            "tags": list(memory.tags),
            "info": dict(provenance.info),
            "details": dict(memory.details),
            "related_ids": list(provenance.related_ids),
            "weight": memory.weight,
            "confidence": memory.confidence,
            "conversation_id": provenance.conversation_id,
            "app_id": provenance.app_id,
            "agent_id": provenance.agent_id,
            "extractor": extractor,
            "fingerprint": fingerprint(memory.kind, memory.identity or memory.value),
            "told_at": memory.told_at,
            "memory_time": memory.memory_time,
            "created_at": now,
            "updated_at": now,
        }

    def _first_version(self, row: dict[str, Any]) -> dict[str, Any]:
        return {
            **self._place,
            "memory_id": row["id"],
            "version": 1,
            "key": row["key"],
            "value": row["value"],
            "reasoning": row["reasoning"],
            "reason": CREATED,
            "created_at": row["created_at"],
        }

    async def delete_made_from(self, conversation_id: str, extractor: str) -> None:
        """Delete an extractor's memories of a conversation."""
        await self._connection.execute(
            delete(memories).where(
                memories.c.project_id == self._project_id,
                memories.c.cube_id == self._cube_id,
                memories.c.conversation_id == conversation_id,
                memories.c.extractor == extractor,
            )
        )

    async def add_vectors(self, vectors: Sequence[tuple[Unembedded, Vector]], space: str) -> None:
        """Give memories their vectors in a space, unless they have one, were deleted or say something else by now."""
        current = await self._connection.execute(
            select(memories.c.id, memories.c.index_text)
            .where(
                memories.c.project_id == self._project_id,
                memories.c.cube_id == self._cube_id,
                memories.c.id.in_([memory.id for memory, _ in vectors]),
            )
            .order_by(memories.c.id)
            # a memory that is being rewritten at this moment is waited for
            .with_for_update(read=True)
        )
        texts = {row.id: row.index_text for row in current}
        await self._insert_vectors(
            [(memory.id, vector) for memory, vector in vectors if texts.get(memory.id) == memory.index_text], space
        )

    async def _insert_vectors(self, vectors: Sequence[tuple[UUID, Vector]], space: str) -> None:
        if vectors:
            await self._connection.execute(
                insert(memory_vectors).on_conflict_do_nothing(),
                [{**self._place, "memory_id": id_, "space": space, "embedding": vector} for id_, vector in vectors],
            )

    async def add_sources(self, sources: Sequence[tuple[UUID, UUID]]) -> None:
        """Link memories to messages; links that exist stay."""
        if sources:
            memory_ids, message_ids = map(list, zip(*sources, strict=True))
            await self._connection.execute(
                _ADD_SOURCES, {**self._place, "memory_ids": memory_ids, "message_ids": message_ids}
            )

    async def delete(self, memory_ids: Sequence[UUID]) -> None:
        """Remove memories with all that belongs to them; those that do not exist are no matter."""
        await self._connection.execute(
            delete(memories).where(
                memories.c.project_id == self._project_id,
                memories.c.cube_id == self._cube_id,
                memories.c.id.in_(memory_ids),
            )
        )

    async def find_settled(self, fingerprints: Sequence[str]) -> dict[str, UUID]:
        """Which of these fingerprints the cube holds already as an activated, settled memory."""
        rows = await self._connection.execute(
            select(memories.c.fingerprint, memories.c.id)
            .where(
                memories.c.project_id == self._project_id,
                memories.c.cube_id == self._cube_id,
                memories.c.fingerprint.in_(fingerprints),
                memories.c.status == MemoryStatus.ACTIVATED,
                memories.c.layer != MemoryLayer.WORKING,
            )
            # nobody deletes them before this transaction has ended
            .order_by(memories.c.id)
            .with_for_update(read=True, key_share=True)
        )
        return {row.fingerprint: row.id for row in rows}

    async def rewrite(
        self, before: StoredMemory, change: Rewrite, *, reason: str, vector: Vector | None, space: str, now: datetime
    ) -> bool:
        """Change a memory and add to its history; False when it is no longer as it was in `before`."""
        is_it = (
            memories.c.project_id == self._project_id,
            memories.c.cube_id == self._cube_id,
            memories.c.id == before.id,
        )
        row = (
            await self._connection.execute(select(memories).where(*is_it).with_for_update(key_share=True))
        ).one_or_none()
        if row is None or _text(row) != (before.key, before.value, before.reasoning, before.status):
            return False
        after = change.apply(before)
        text = change.text_to_embed(before)
        values: dict[str, Any] = {
            "key": after.key,
            "value": after.value,
            "reasoning": after.reasoning,
            "status": after.status.value,
            "layer": after.layer.value,
            "tags": list(after.tags),
            "details": dict(after.details),
            "weight": after.weight,
            "memory_time": after.memory_time,
            "fingerprint": fingerprint(after.kind, after.value),
            "updated_at": now,
        }
        if text is not None:
            # What stood around the old words says nothing of the new ones.
            values |= _indexed(text, row.context_text if after.value == before.value else "")
        if change.superseded_by is not None:
            values["superseded_by"] = change.superseded_by
        elif change.status is MemoryStatus.ACTIVATED:
            values["superseded_by"] = None
        await self._connection.execute(update(memories).where(*is_it).values(values))
        if text is not None:
            await self._replace_vectors(before.id, vector, space)
        await self._add_version(before, after, reason, change.superseded_by, now)
        return True

    async def _replace_vectors(self, memory_id: UUID, vector: Vector | None, space: str) -> None:
        await self._connection.execute(
            delete(memory_vectors).where(
                memory_vectors.c.project_id == self._project_id,
                memory_vectors.c.cube_id == self._cube_id,
                memory_vectors.c.memory_id == memory_id,
            )
        )
        if vector is not None:
            await self._insert_vectors([(memory_id, vector)], space)

    async def _add_version(
        self, before: StoredMemory, after: StoredMemory, reason: str, superseded_by: UUID | None, now: datetime
    ) -> None:
        place = {**self._place, "memory_id": before.id}
        newest: int | None = (
            await self._connection.execute(
                select(func.max(memory_versions.c.version)).where(
                    memory_versions.c.project_id == self._project_id,
                    memory_versions.c.cube_id == self._cube_id,
                    memory_versions.c.memory_id == before.id,
                )
            )
        ).scalar_one_or_none()
        if newest is None:  # a raw turn: they have no history until they are changed
            newest = 1
            await self._connection.execute(
                insert(memory_versions).values(
                    **place,
                    version=newest,
                    key=before.key,
                    value=before.value,
                    reasoning=before.reasoning,
                    reason=CREATED,
                    created_at=before.created_at,
                )
            )
        await self._connection.execute(
            insert(memory_versions).values(
                **place,
                version=newest + 1,
                key=after.key,
                value=after.value,
                reasoning=after.reasoning,
                reason=reason,
                superseded_by=superseded_by,
                created_at=now,
            )
        )

    async def archive_coarse(self, task_id: UUID, now: datetime) -> None:
        """Let the raw turns of a task give way to what was extracted from them."""
        await self._connection.execute(
            update(memories)
            .where(
                memories.c.project_id == self._project_id,
                memories.c.cube_id == self._cube_id,
                memories.c.task_id == task_id,
                memories.c.layer == MemoryLayer.WORKING,
            )
            .values(status=MemoryStatus.ARCHIVED, updated_at=now)
        )

    async def list_unembedded(self, space: str, *, task_id: UUID | None = None, limit: int) -> list[Unembedded]:
        """Activated memories without a vector in this space, newest first."""
        vector = and_(
            memory_vectors.c.cube_id == memories.c.cube_id,
            memory_vectors.c.memory_id == memories.c.id,
            memory_vectors.c.space == space,
        )
        statement = (
            select(memories.c.id, memories.c.index_text)
            .select_from(memories.outerjoin(memory_vectors, vector))
            .where(
                memories.c.project_id == self._project_id,
                memories.c.cube_id == self._cube_id,
                memories.c.status == MemoryStatus.ACTIVATED,
                memory_vectors.c.memory_id.is_(None),
            )
            .order_by(memories.c.created_at.desc(), memories.c.id)
            .limit(limit)
        )
        if task_id is not None:
            statement = statement.where(memories.c.task_id == task_id)
        return [Unembedded(row.id, row.index_text) for row in await self._connection.execute(statement)]

    async def list_nearest(self, vector: Vector, space: str, limit: int) -> list[KnownMemory]:
        """The settled memories nearest to a vector, by an exact scan of the cube."""
        distance = memory_vectors.c.embedding.cosine_distance(vector)
        rows = await self._connection.execute(
            select(memories.c.id, memories.c.kind, memories.c.value)
            .join(
                memory_vectors,
                and_(memory_vectors.c.cube_id == memories.c.cube_id, memory_vectors.c.memory_id == memories.c.id),
            )
            .where(
                memories.c.project_id == self._project_id,
                memories.c.cube_id == self._cube_id,
                memories.c.status == MemoryStatus.ACTIVATED,
                memories.c.layer != MemoryLayer.WORKING,
                memory_vectors.c.space == space,
            )
            .order_by(distance)
            .limit(limit)
        )
        return [KnownMemory(row.id, MemoryKind(row.kind), row.value) for row in rows]


def _indexed(index_text: str, context_text: str) -> dict[str, Any]:
    # What a memory says itself counts twice, what stood around it once.
    words = tokens(index_text) * 2 + tokens(context_text)
    return {
        "index_text": index_text,
        "context_text": context_text,
        "words": to_tsvector(words),
        "word_count": len(words),
    }


def _text(row: Row[Any]) -> tuple[str, str, str, str]:
    return row.key, row.value, row.reasoning, row.status


async def list_cubes_to_embed(connection: AsyncConnection, project_id: UUID, space: str, limit: int) -> list[UUID]:
    """Cubes of a project that hold activated memories without a vector in this space."""
    missing = ~(
        select(literal(1))
        .where(
            memory_vectors.c.cube_id == memories.c.cube_id,
            memory_vectors.c.memory_id == memories.c.id,
            memory_vectors.c.space == space,
        )
        .exists()
    )
    rows = await connection.execute(
        select(memories.c.cube_id)
        .where(memories.c.project_id == project_id, memories.c.status == MemoryStatus.ACTIVATED, missing)
        .group_by(memories.c.cube_id)
        .order_by(func.max(memories.c.created_at).desc())
        .limit(limit)
    )
    return list(rows.scalars())
