"""Use cases around messages."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.clock import Clock, epoch_milliseconds
from memcubed.knowledge.service import KnowledgeService
from memcubed.memories.model import Provenance
from memcubed.memories.service import MemoryService
from memcubed.memories.views import DEFAULT_VIEWS, kinds_of
from memcubed.messages.attachments import FileLimits, check_attachments
from memcubed.messages.model import DEFAULT_CONVERSATION, Role, Turn
from memcubed.messages.reading import check_length, read_text, read_turns
from memcubed.messages.repository import MessageRepository, StoredMessage
from memcubed.messages.schemas import (
    AddMessageData,
    AddMessageRequest,
    GetMessageData,
    GetMessageRequest,
    MessageDetail,
    MessageIn,
)
from memcubed.messages.tool_use import read_definitions
from memcubed.production.tasks import TaskOptions, TaskService, TaskStatus
from memcubed.projects.input_limit import InputLimit
from memcubed.projects.model import Project
from memcubed.store.cubes import Cube, CubeKind, ensure_cubes, public_cube
from memcubed.store.session import Database, committing


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """What one add/message may bring, and how long it waits for its memories when asked to."""

    tokens: int
    files: FileLimits
    sync_wait_seconds: float


class MessageService:
    """Accepts messages so that nothing of them can be lost, and gives them back."""

    def __init__(
        self,
        database: Database,
        memories: MemoryService,
        tasks: TaskService,
        input_limit: InputLimit,
        knowledge: KnowledgeService,
        clock: Clock,
        limits: MessageLimits,
    ) -> None:
        self._database = database
        self._memories = memories
        self._tasks = tasks
        self._input_limit = input_limit
        self._knowledge = knowledge
        self._clock = clock
        self._limits = limits

    async def add(self, project: Project, request: AddMessageRequest, idempotency_key: str | None) -> AddMessageData:
        """Store the messages, make them recallable, and promise their extraction, in one transaction."""
        turns = read_turns(request.messages, zone=project.timezone, now=self._clock())
        tokens = check_length(turns, self._limits.tokens)
        if request.has_attachments:
            contents = [message.content for message in request.messages]
            await asyncio.to_thread(check_attachments, contents, self._limits.files)
        await self._input_limit.take(project.id, tokens)
        task_id, is_new = await self._store(project.id, request, turns, idempotency_key)
        status = TaskStatus.RUNNING
        if not request.async_mode and not request.has_attachments:
            status = await self._tasks.wait(project.id, task_id, self._limits.sync_wait_seconds)
        elif not is_new:
            status = (await self._tasks.get(project.id, task_id)).status
        return AddMessageData(success=status is not TaskStatus.FAILED, task_id=str(task_id), status=status)

    async def add_answered(self, project: Project, request: AddMessageRequest) -> None:
        """Store an exchange that this service answered, as `add` does.

        Its query was counted when it came, so no limit stands in the way of keeping it. Two equal exchanges are two.
        """
        turns = read_turns(request.messages, zone=project.timezone, now=self._clock())
        await self._store(project.id, request, turns, f"answered {uuid4()}")

    async def check_bases(self, project: Project, ids: Sequence[str]) -> None:
        """Raise what `add` would for these knowledge bases, before something is done that could not be stored then."""
        if ids:
            async with self._database.transaction(project.id) as connection:
                await self._knowledge.writable_cubes(connection, project.id, ids)

    async def list_texts(self, project: Project, request: GetMessageRequest) -> list[tuple[str, Role, str]]:
        """The id, role and text of each message that `list_newest` gives."""
        newest = (await self.list_newest(project, request)).message_detail_list
        return [
            (message.id, message.role, read_text(MessageIn.model_validate(message.model_dump()))) for message in newest
        ]

    async def list_newest(self, project: Project, request: GetMessageRequest) -> GetMessageData:
        """The newest messages of a user's conversation, as they were sent, oldest first."""
        cube = Cube(project.id, CubeKind.USER, request.user_id)
        async with self._database.look_up(project.id) as connection:
            stored = await MessageRepository(connection, project.id).list_newest(
                cube.id, request.conversation_id, request.message_limit_number
            )
        return GetMessageData(message_detail_list=[_detail(message) for message in stored])

    async def _store(
        self, project_id: UUID, request: AddMessageRequest, turns: Sequence[Turn], idempotency_key: str | None
    ) -> tuple[UUID, bool]:
        agent_ids = _as_list(request.agent_id)
        options = TaskOptions(
            conversation_id=request.conversation_id or DEFAULT_CONVERSATION,
            app_id=request.app_id,
            agent_id=agent_ids[0] if len(agent_ids) == 1 else None,
            tags=tuple(request.tags),
            info=request.info,
            kinds=kinds_of(DEFAULT_VIEWS if request.allow_memory_view is None else request.allow_memory_view),
            related_ids=tuple(dict.fromkeys((*_as_list(request.user_id), *agent_ids, *_role_ids(turns)))),
            tools=read_definitions(request.tools),
            user_ids=tuple(_as_list(request.user_id)),
        )
        payloads = [message.model_dump(mode="json", exclude_unset=True) for message in request.messages]
        async with self._database.transaction(project_id) as connection:
            task = await self._tasks.open(
                connection, project_id, options, body_hash=_body_hash(request), idempotency_key=idempotency_key
            )
            if task.is_new:
                bases = await self._knowledge.writable_cubes(connection, project_id, request.allow_knowledgebase_ids)
                cubes = [*_cubes(project_id, request), *bases]
                await ensure_cubes(connection, cubes)
                async with committing(connection):
                    await self.keep(connection, project_id, cubes, task.id, options, turns, payloads)
                    await self._tasks.share_out(connection, project_id, task.id, cubes)
        return task.id, task.is_new

    async def keep(
        self,
        connection: AsyncConnection,
        project_id: UUID,
        cubes: Sequence[Cube],
        task_id: UUID,
        options: TaskOptions,
        turns: Sequence[Turn],
        payloads: Sequence[Mapping[str, JsonValue]],
    ) -> None:
        """Store a task's messages in these cubes, which exist, and make them recallable; the caller's transaction."""
        provenance = Provenance(
            task_id, options.conversation_id, options.app_id, options.agent_id, options.info, options.related_ids
        )
        repository = MessageRepository(connection, project_id)
        for cube in cubes:
            await repository.add(cube.id, task_id, options.conversation_id, turns, payloads)
            await self._memories.add_coarse(connection, cube, turns, provenance)


def _cubes(project_id: UUID, request: AddMessageRequest) -> list[Cube]:
    users, agents = _as_list(request.user_id), _as_list(request.agent_id)
    is_group = isinstance(request.user_id, list) or isinstance(request.agent_id, list)
    cubes = [Cube(project_id, CubeKind.USER, user) for user in users]
    if is_group or not users:
        cubes += [Cube(project_id, CubeKind.AGENT, agent) for agent in agents]
    if request.allow_public:
        cubes.append(public_cube(project_id))
    return cubes


def _as_list(ids: str | list[str] | None) -> list[str]:
    if ids is None:
        return []
    return [ids] if isinstance(ids, str) else ids


def _role_ids(turns: Sequence[Turn]) -> list[str]:
    return [turn.role_id for turn in turns if turn.role_id is not None]


def _body_hash(request: AddMessageRequest) -> str:
    body = request.model_dump(mode="json", exclude_unset=True, exclude={"async_mode"})
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _detail(message: StoredMessage) -> MessageDetail:
    return MessageDetail.model_validate(
        {
            "content": None,
            **message.payload,
            "id": str(message.id),
            "create_time": epoch_milliseconds(message.created_at),
            "update_time": epoch_milliseconds(message.created_at),
        }
    )
