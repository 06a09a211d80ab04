"""Searching the cubes of a request, each under the tenant whose it is."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from memcubed.filters import Filters
from memcubed.knowledge.service import KnowledgeService
from memcubed.memories.model import MemoryKind
from memcubed.providers.embeddings import Vector
from memcubed.recall.model import Found
from memcubed.recall.ranking import Weights
from memcubed.recall.repository import RecallRepository
from memcubed.recall.schemas import SearchRequest
from memcubed.recall.scope import SearchedCube, searched_cubes

Scope = Mapping[UUID, Sequence[SearchedCube]]
"""The cubes to search, by their project."""


class CubeSearch:
    """Finds out where a request may look, and looks there."""

    def __init__(self, repository: RecallRepository, knowledge: KnowledgeService) -> None:
        self._repository = repository
        self._knowledge = knowledge

    async def scope(self, project_id: UUID, request: SearchRequest, filters: Filters) -> Scope:
        """The cubes that the request names and the project may read. Raises KnowledgeBaseNotFoundError."""
        bases = await self._knowledge.readable_bases(project_id, request.knowledgebase_ids)
        return searched_cubes(project_id, request, filters, bases)

    async def find(
        self,
        scope: Scope,
        kinds: frozenset[MemoryKind],
        *,
        vector: Vector | None,
        space: str,
        terms: Sequence[str],
        weights: Weights,
    ) -> Found:
        """The best candidates of all these cubes, as RecallRepository finds them.

        It takes a round trip for each project: one, unless linked bases of others are among the cubes.
        """
        parts = await asyncio.gather(
            *(
                self._repository.search(tenant, cubes, kinds, vector=vector, space=space, terms=terms, weights=weights)
                for tenant, cubes in scope.items()
            )
        )
        return Found.joined(parts)
