"""Use cases around stored memories, in the caller's transaction."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.clock import Clock
from memcubed.memories.coarse import coarse_memories
from memcubed.memories.fingerprint import fingerprint
from memcubed.memories.model import (
    KnownMemory,
    MemoryKind,
    MemoryStatus,
    NewMemory,
    Provenance,
    StoredMemory,
    Unembedded,
)
from memcubed.memories.reading import MemoryReader
from memcubed.memories.repository import MemoryRepository, list_cubes_to_embed
from memcubed.memories.rewriting import Rewrite
from memcubed.memories.succession import Cause, Outdated, Succession, mark_of, succeed
from memcubed.memories.tool_history import told_again, tools_of, with_rates
from memcubed.memories.tool_repository import ToolMemoryRepository
from memcubed.messages.model import Turn
from memcubed.providers.embeddings import Embedder, Vector
from memcubed.store.cubes import Cube
from memcubed.store.session import pipelined

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

        What the cube holds already is not added again: it gains the new messages as sources. Of tool memories with
        the same identity the newest replaces the others, and their calls count together.
        """
        repository = self._repository(connection, project_id, cube_id)
        now = self._clock()
        by_fingerprint: dict[str, NewMemory] = {}
        tools = [memory for memory in new if memory.kind.is_tool_memory]
        for memory in new:
            if memory.kind.is_tool_memory:
                continue
            mark = fingerprint(memory.kind, memory.value)
            twin = by_fingerprint.get(mark)
            if twin is not None:
                memory = replace(twin, source_ids=tuple(dict.fromkeys(twin.source_ids + memory.source_ids)))  # noqa: PLW2901
            by_fingerprint[mark] = memory
        held = await repository.find_settled(list(by_fingerprint))
        again = [(id_, source) for mark, id_ in held.items() for source in by_fingerprint[mark].source_ids]
        added = [memory for mark, memory in by_fingerprint.items() if mark not in held]
        space = self._embedder.space if any(memory.vector is not None for memory in added) else None
        async with pipelined(connection):
            await repository.add_sources(again)
            await repository.add(added, provenance, space=space, extractor=extractor, now=now)
            if provenance.task_id is not None:
                await repository.archive_coarse(provenance.task_id, now)
        if tools:
            history = ToolMemoryRepository(connection, project_id, cube_id)
            added += await self._settle_tools(repository, history, tools, provenance, extractor)
        return Counter(memory.kind for memory in added)

    async def supersede(
        self,
        connection: AsyncConnection,
        project_id: UUID,
        cube_id: UUID,
        new: NewMemory,
        outdated: Sequence[Outdated],
        provenance: Provenance,
        *,
        extractor: str,
        reason: str,
    ) -> Succession:
        """Store what corrects these memories, in place of its task's raw turns; they give way to it.

        What they said stays in their history, under `reason`. Those that somebody changed meanwhile are left alone.
        """
        repository = self._repository(connection, project_id, cube_id)
        now = self._clock()
        held = await repository.find_settled([mark_of(new)])
        same = await self.list_by_id(connection, project_id, list(held.values()))
        space = "" if new.vector is None else self._embedder.space
        cause = Cause(extractor, reason, space, now)
        done = await succeed(repository, new, same[0] if same else None, outdated, provenance, cause)
        if provenance.task_id is not None:
            await repository.archive_coarse(provenance.task_id, now)
        return done

    async def archive_coarse(self, connection: AsyncConnection, project_id: UUID, cube_id: UUID, task_id: UUID) -> None:
        """Take a task's raw turns out of recall: nothing is to be remembered of them, or it is elsewhere."""
        await self._repository(connection, project_id, cube_id).archive_coarse(task_id, self._clock())

    async def list_carrying(
        self, connection: AsyncConnection, project_id: UUID, cube_id: UUID, phrase: str, limit: int
    ) -> list[tuple[StoredMemory, str]]:
        """A cube's activated memories in which a phrase stands, each with its text for the indexes."""
        return await MemoryReader(connection, project_id).list_carrying(cube_id, phrase, limit)

    async def add(
        self,
        connection: AsyncConnection,
        project_id: UUID,
        cube_id: UUID,
        new: Sequence[NewMemory],
        provenance: Provenance,
        *,
        extractor: str,
    ) -> None:
        """Store memories as they are, even beside ones that say the same; those without vectors get them later."""
        space = self._embedder.space if any(memory.vector is not None for memory in new) else None
        await self._repository(connection, project_id, cube_id).add(
            new, provenance, space=space, extractor=extractor, now=self._clock()
        )

    async def delete_made_from(
        self, connection: AsyncConnection, project_id: UUID, cube_id: UUID, conversation_id: str, *, extractor: str
    ) -> None:
        """Delete what this extractor made of a conversation, or of what stands for one."""
        await self._repository(connection, project_id, cube_id).delete_made_from(conversation_id, extractor)

    async def list_by_id(
        self, connection: AsyncConnection, project_id: UUID, memory_ids: Collection[UUID]
    ) -> list[StoredMemory]:
        """Those of these memories that the project has, in whichever cube, by id."""
        return await MemoryReader(connection, project_id).list_by_id(memory_ids)

    async def rewrite(
        self,
        connection: AsyncConnection,
        memory: StoredMemory,
        change: Rewrite,
        *,
        project_id: UUID,
        reason: str,
        vector: Vector | None = None,
    ) -> bool:
        """Change a memory; the text that it had stays in its history, under the `reason` of the change.

        False, and nothing is changed, when the memory's text or status is no longer that of `memory`: read it again.
        Of several memories change those with the smaller ids first. `vector` is that of `change.text_to_embed(memory)`,
        made before the transaction; without one the memory is found by words until the embedding job, which the caller
        enqueues, has made it.
        """
        return await self._repository(connection, project_id, memory.cube_id).rewrite(
            memory,
            change,
            reason=reason,
            vector=vector,
            space="" if vector is None else self._embedder.space,
            now=self._clock(),
        )

    async def put(
        self,
        connection: AsyncConnection,
        project_id: UUID,
        cube_id: UUID,
        memory: NewMemory,
        provenance: Provenance,
        *,
        extractor: str,
    ) -> None:
        """Store a memory that has an id, or bring the one of this id up to it. Its vector follows by the queue."""
        repository = self._repository(connection, project_id, cube_id)
        now = self._clock()
        held = [] if memory.id is None else await self.list_by_id(connection, project_id, [memory.id])
        if not held:
            await repository.add([memory], provenance, space=None, extractor=extractor, now=now)
            return
        change = Rewrite(
            key=memory.key,
            value=memory.value,
            reasoning=memory.reasoning,
            status=MemoryStatus.ACTIVATED,
            details=memory.details,
            index_text=memory.index_text,
        )
        await repository.rewrite(held[0], change, reason=extractor, vector=None, space="", now=now)
        await repository.add_sources([(held[0].id, source) for source in memory.source_ids])

    async def remove(
        self, connection: AsyncConnection, project_id: UUID, cube_id: UUID, memory_ids: Sequence[UUID]
    ) -> None:
        """Delete memories of a cube for good; those that do not exist are no matter."""
        if memory_ids:
            await self._repository(connection, project_id, cube_id).delete(memory_ids)

    async def _settle_tools(
        self,
        repository: MemoryRepository,
        history: ToolMemoryRepository,
        new: Sequence[NewMemory],
        provenance: Provenance,
        extractor: str,
    ) -> list[NewMemory]:
        """Store tool memories, and bring the success rates of their tools up to date; those that say something new."""
        now = self._clock()
        by_mark = {fingerprint(memory.kind, memory.identity or memory.value): memory for memory in new}
        held = await history.find_held(list(by_mark))
        again = {mark: told_again(by_mark[mark].details, old.details) for mark, old in held.items()}
        same = {mark: old for mark, old in held.items() if old.value == by_mark[mark].value}
        await repository.add_sources([(old.id, id_) for mark, old in same.items() for id_ in by_mark[mark].source_ids])
        await history.set_details({old.id: again[mark] for mark, old in same.items()})
        fresh = {
            mark: replace(memory, details=again.get(mark, memory.details))
            for mark, memory in by_mark.items()
            if mark not in same
        }
        added = list(fresh.values())
        space = self._embedder.space if any(memory.vector is not None for memory in added) else None
        ids = await repository.add(added, provenance, space=space, extractor=extractor, now=now)
        replaced = [(held[mark].id, id_) for mark, id_ in zip(fresh, ids, strict=True) if mark in held]
        await history.supersede(replaced, now)
        tools = frozenset(tool for memory in new for tool in tools_of(memory.details))
        await history.set_details(with_rates(await history.list_of(tools)))
        return added

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
        self, connection: AsyncConnection, project_id: UUID, cube_id: UUID, vectors: Sequence[tuple[Unembedded, Vector]]
    ) -> None:
        """Give memories their vectors in the current space, unless they were rewritten or deleted meanwhile."""
        await self._repository(connection, project_id, cube_id).add_vectors(vectors, self._embedder.space)

    @staticmethod
    def _repository(connection: AsyncConnection, project_id: UUID, cube_id: UUID) -> MemoryRepository:
        return MemoryRepository(connection, project_id, cube_id)
