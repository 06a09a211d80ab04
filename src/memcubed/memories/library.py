"""What owners do with the memories that were made for them: look at them, and change them."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import structlog

from memcubed.clock import Clock
from memcubed.errors import (
    MemoryNotFoundError,
    NotFoundError,
    ProviderError,
    ServiceUnavailableError,
)
from memcubed.filters import parse_filter
from memcubed.language.detect import detect
from memcubed.memories.editing import edit, reason_of
from memcubed.memories.ids import ID_SHOWN, find_id
from memcubed.memories.model import MemoryStatus, MemoryView, StoredMemory
from memcubed.memories.notes import preference_note
from memcubed.memories.reading import Listing, MemoryReader
from memcubed.memories.requests import GetMemoryData, GetMemoryRequest, SuccessData, UpdateMemoryRequest
from memcubed.memories.schemas import (
    AnyDetail,
    VersionDetail,
    detail,
    event_detail,
    fact_detail,
    preference_detail,
    profile_detail,
    skill_detail,
    tool_memory_detail,
)
from memcubed.memories.service import MemoryService
from memcubed.projects.input_limit import CallLimit
from memcubed.projects.model import Project
from memcubed.providers.embeddings import Embedder, Vector
from memcubed.store.cubes import Cube, CubeKind
from memcubed.store.session import Database

_TRIES: Final = 5

EnqueueEmbedding = Callable[[UUID, UUID], Awaitable[None]]
"""Has a cube's missing vectors made; given the project and the cube."""

log = structlog.get_logger(__name__)


class MemoryLibrary:
    """Gives memories back as they are stored, and changes them as their owners wish."""

    def __init__(
        self,
        database: Database,
        memories: MemoryService,
        embedder: Embedder,
        enqueue_embedding: EnqueueEmbedding,
        clock: Clock,
        content_limit: CallLimit,
    ) -> None:
        self._database = database
        self._memories = memories
        self._embedder = embedder
        self._enqueue_embedding = enqueue_embedding
        self._clock = clock
        self._content_limit = content_limit

    async def list_page(self, project: Project, request: GetMemoryRequest) -> GetMemoryData:
        """A page of each kind of memory of a user or an agent, the newest first."""
        filters = parse_filter(request.filter, zone=project.timezone, now=self._clock())
        cubes = {cube.id: filters.of(cube.kind) for cube in _cubes(project.id, request)}
        listing = Listing(cubes, request.kinds, request.status)
        async with self._database.transaction(project.id) as connection:
            reader = MemoryReader(connection, project.id)
            counts = await reader.count(listing)
            found = await reader.list_page(listing, page=request.page, size=request.size) if counts else []
        total = max(counts.values(), default=0)
        return _page(found, total=total, size=request.size, current=request.page)

    async def get(self, project: Project, memory_id: str, *, history: bool) -> AnyDetail:
        """A memory in its kind's shape, with `history` beside what it said before. Raises NotFoundError."""
        missing = NotFoundError(f"There is no memory {memory_id[:ID_SHOWN]}.")
        id_ = find_id(memory_id)
        if id_ is None:
            raise missing
        async with self._database.transaction(project.id) as connection:
            reader = MemoryReader(connection, project.id)
            found = await reader.list_by_id([id_])
            if not found:
                raise missing
            versions = await reader.list_versions(found[0]) if history else None
        shown = detail(found[0])
        if versions is None:
            return shown
        return shown.model_copy(update={"history": [VersionDetail.of(version) for version in versions]})

    async def update(self, project: Project, request: UpdateMemoryRequest) -> SuccessData:
        """Change a memory's content, title or status. Raises MemoryNotFoundError.

        When the embedding model fails, the memory is found by its words until its vector has been made.
        """
        if request.content is not None:
            await self._content_limit.take(project.id, request.content, "content")
        for _ in range(_TRIES):
            memory = await self._read(project.id, request.memory_id)
            if await self._change(project, memory, request):
                return SuccessData()
            # Somebody else changed it meanwhile: what they did is kept, and this change made on top of it.
        raise ServiceUnavailableError("The memory is being changed by others at the same time; try again.")

    async def _read(self, project_id: UUID, memory_id: str) -> StoredMemory:
        id_ = find_id(memory_id)
        found: list[StoredMemory] = []
        if id_ is not None:
            async with self._database.transaction(project_id) as connection:
                found = await self._memories.list_by_id(connection, project_id, [id_])
        if not found:
            raise MemoryNotFoundError(f"There is no memory with the memory_id {memory_id[:ID_SHOWN]}.")
        return found[0]

    async def _change(self, project: Project, memory: StoredMemory, request: UpdateMemoryRequest) -> bool:
        now = self._clock().astimezone(project.timezone)
        change = edit(memory, content=request.content, title=request.title, status=request.status, now=now)
        if change.apply(memory) == memory:
            return True
        text = change.text_to_embed(memory)
        vector = None if text is None else await self._embed(text)
        async with self._database.transaction(project.id) as connection:
            done = await self._memories.rewrite(
                connection, memory, change, project_id=project.id, reason=reason_of(memory, change), vector=vector
            )
        if done and vector is None and (text is not None or request.status is MemoryStatus.ACTIVATED):
            await self._enqueue_embedding(project.id, memory.cube_id)
        return done

    async def _embed(self, text: str) -> Vector | None:
        try:
            return (await self._embedder.embed_documents([text]))[0]
        except ProviderError as error:
            log.warning("memories_not_embedded_yet", count=1, reason=error.message)
            return None


def _cubes(project_id: UUID, request: GetMemoryRequest) -> list[Cube]:
    owners = ((CubeKind.USER, request.user_id), (CubeKind.AGENT, request.agent_id))
    return [Cube(project_id, kind, owner) for kind, owner in owners if owner is not None]


def _page(found: list[StoredMemory], *, total: int, size: int, current: int) -> GetMemoryData:
    def of(view: MemoryView) -> list[StoredMemory]:
        return [memory for memory in found if memory.kind in view.kinds]

    preferences = of(MemoryView.PREFERENCE)
    return GetMemoryData(
        memory_detail_list=[fact_detail(memory) for memory in of(MemoryView.DETAIL_FACTUAL)],
        preference_detail_list=[preference_detail(memory) for memory in preferences],
        tool_memory_detail_list=[tool_memory_detail(memory) for memory in of(MemoryView.TOOL_MEMORY)],
        skill_detail_list=[skill_detail(memory) for memory in of(MemoryView.SKILL)],
        event_detail_list=[event_detail(memory) for memory in of(MemoryView.EVENT)],
        profile_detail_list=[profile_detail(memory) for memory in of(MemoryView.PROFILE)],
        preference_note=preference_note(detect(preferences[0].value)) if preferences else "",
        total=total,
        size=size,
        current=current,
        pages=-(-total // size),
    )
