"""Use cases around stored memories, in the caller's transaction."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.clock import Clock
from memcubed.memories.coarse import coarse_memories
from memcubed.memories.fingerprint import fingerprint
from memcubed.memories.model import KnownMemory, MemoryKind, NewMemory, Provenance, Unembedded
from memcubed.memories.repository import MemoryRepository, list_cubes_to_embed
from memcubed.messages.model import Turn
from memcubed.providers.embeddings import Embedder, Vector
from memcubed.store.cubes import Cube

COARSE_EXTRACTOR = "coarse"


class MemoryService:
    """Keeps memories in cubes, with vectors in the embedder's space."""

    def __init__(self, embedder: Embedder, clock: Clock) -> None:
        self._embedder = embedder
        self._clock = clock

    async def add_coarse(
        self, connection: AsyncConnection, cube: Cube, turns: Sequence[Turn], provenance: Provenance
    ) -> None:
        """Make raw turns recallable at once; their vectors follow."""
        await self._repository(connection, cube.project_id, cube.id).add(
            coarse_memories(turns), provenance, space=None, extractor=COARSE_EXTRACTOR, now=self._clock()
        )

    async def settle(
        self,
        connection: AsyncConnection,
        project_id: UUID,
        cube_id: UUID,
        new: Sequence[NewMemory],
        provenance: Provenance,
        *,
        extractor: str,
    ) -> Counter[MemoryKind]:
        """Store what was extracted from a task's messages in place of their raw turns; how many of each kind.

        What the cube holds already is not added again: it gains the new messages as sources.
        """
        repository = self._repository(connection, project_id, cube_id)
        now = self._clock()
        by_fingerprint: dict[str, NewMemory] = {}
        for memory in new:
            mark = fingerprint(memory.kind, memory.value)
            twin = by_fingerprint.get(mark)
            if twin is not None:
                memory = replace(twin, source_ids=tuple(dict.fromkeys(twin.source_ids + memory.source_ids)))  # noqa: PLW2901
            by_fingerprint[mark] = memory
        held = await repository.find_settled(list(by_fingerprint))
        await repository.add_sources(
            [(id_, source) for mark, id_ in held.items() for source in by_fingerprint[mark].source_ids]
        )
        added = [memory for mark, memory in by_fingerprint.items() if mark not in held]
        space = self._embedder.space if any(memory.vector is not None for memory in added) else None
        await repository.add(added, provenance, space=space, extractor=extractor, now=now)
        await repository.archive_coarse(provenance.task_id, now)
        return Counter(memory.kind for memory in added)

    async def list_nearest(
        self, connection: AsyncConnection, project_id: UUID, cube_id: UUID, vector: Vector, limit: int
    ) -> list[KnownMemory]:
        """The settled memories of a cube that are nearest to a vector."""
        return await self._repository(connection, project_id, cube_id).list_nearest(vector, self._embedder.space, limit)

    async def list_unembedded(
        self, connection: AsyncConnection, project_id: UUID, cube_id: UUID, *, task_id: UUID | None = None, limit: int
    ) -> list[Unembedded]:
        """Activated memories of a cube, or of one task in it, that have no vector in the current space."""
        repository = self._repository(connection, project_id, cube_id)
        return await repository.list_unembedded(self._embedder.space, task_id=task_id, limit=limit)

    async def list_cubes_to_embed(self, connection: AsyncConnection, project_id: UUID, limit: int) -> list[UUID]:
        """Cubes of a project with such memories."""
        return await list_cubes_to_embed(connection, project_id, self._embedder.space, limit)

    async def add_vectors(
        self, connection: AsyncConnection, project_id: UUID, cube_id: UUID, vectors: Sequence[tuple[UUID, Vector]]
    ) -> None:
        """Give memories their vectors in the current space."""
        await self._repository(connection, project_id, cube_id).add_vectors(vectors, self._embedder.space)

    @staticmethod
    def _repository(connection: AsyncConnection, project_id: UUID, cube_id: UUID) -> MemoryRepository:
        return MemoryRepository(connection, project_id, cube_id)
