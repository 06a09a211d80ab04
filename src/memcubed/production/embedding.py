"""Vectors for memories that have none in the current space: new ones, and all after a change of model."""

from typing import Final
from uuid import UUID

from memcubed.memories.service import MemoryService
from memcubed.providers.embeddings import Embedder
from memcubed.store.session import Database

_BATCH: Final = 64
_CUBES_AT_ONCE: Final = 100


class EmbeddingService:
    """Fills in missing vectors, a batch a transaction."""

    def __init__(self, database: Database, memories: MemoryService, embedder: Embedder) -> None:
        self._database = database
        self._memories = memories
        self._embedder = embedder

    async def load(self) -> None:
        """Learn the current space from an endpoint that could not name it before. Raises ProviderError."""
        await self._embedder.load()

    async def embed_cube(self, project_id: UUID, cube_id: UUID, *, task_id: UUID | None = None) -> int:
        """Embed what a cube, or one task in it, has without vectors; how many. Raises ProviderError."""
        done = 0
        while True:
            async with self._database.transaction(project_id) as connection:
                missing = await self._memories.list_unembedded(
                    connection, project_id, cube_id, task_id=task_id, limit=_BATCH
                )
            if not missing:
                return done
            vectors = await self._embedder.embed_documents([memory.index_text for memory in missing])
            pairs = list(zip(missing, vectors, strict=True))
            async with self._database.transaction(project_id) as connection:
                await self._memories.add_vectors(connection, project_id, cube_id, pairs)
            done += len(pairs)

    async def embed_project(self, project_id: UUID) -> int:
        """Embed what a project has without vectors; how many. Raises ProviderError."""
        done = 0
        while True:
            async with self._database.transaction(project_id) as connection:
                cubes = await self._memories.list_cubes_to_embed(connection, project_id, _CUBES_AT_ONCE)
            if not cubes:
                return done
            for cube_id in cubes:
                done += await self.embed_cube(project_id, cube_id)
