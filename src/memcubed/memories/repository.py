"""Memories in the database."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import and_, func, literal, select, update
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
    Unembedded,
)
from memcubed.providers.embeddings import Vector
from memcubed.store.tables import memories, memory_sources, memory_vectors, memory_versions
from memcubed.store.words import to_tsvector

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
        ids = [uuid4() for _ in new]
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
            await self.add_vectors(vectors, space)
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
        # What a memory says itself counts twice, what stood around it once.
        words = tokens(memory.index_text) * 2 + tokens(memory.context_text)
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
            "index_text": memory.index_text,
            "context_text": memory.context_text,
            "source_role": memory.source_role.value,
            "speaker": memory.speaker,
            "words": to_tsvector(words),
            "word_count": len(words),
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
            "fingerprint": fingerprint(memory.kind, memory.value),
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
            "reason": "created",
            "created_at": row["created_at"],
        }

    async def add_vectors(self, vectors: Sequence[tuple[UUID, Vector]], space: str) -> None:
        """Give memories their vectors in a space; those that have one keep it."""
        if vectors:
            await self._connection.execute(
                insert(memory_vectors).on_conflict_do_nothing(),
                [{**self._place, "memory_id": id_, "space": space, "embedding": vector} for id_, vector in vectors],
            )

    async def add_sources(self, sources: Sequence[tuple[UUID, UUID]]) -> None:
        """Link memories to messages; links that exist stay."""
        if sources:
            await self._connection.execute(
                insert(memory_sources).on_conflict_do_nothing(),
                [{**self._place, "memory_id": memory, "message_id": message} for memory, message in sources],
            )

    async def find_settled(self, fingerprints: Sequence[str]) -> dict[str, UUID]:
        """Which of these fingerprints the cube holds already as an activated, settled memory."""
        rows = await self._connection.execute(
            select(memories.c.fingerprint, memories.c.id).where(
                memories.c.project_id == self._project_id,
                memories.c.cube_id == self._cube_id,
                memories.c.fingerprint.in_(fingerprints),
                memories.c.status == MemoryStatus.ACTIVATED,
                memories.c.layer != MemoryLayer.WORKING,
            )
        )
        return {row.fingerprint: row.id for row in rows}

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
