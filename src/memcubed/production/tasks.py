"""Tasks: the promise that accepted messages come to an end, and how it was kept."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.errors import ConflictError, ServiceUnavailableError, TaskNotFoundError
from memcubed.memories.model import MemoryKind
from memcubed.production.model import ShareSummary
from memcubed.production.repository import TaskRepository
from memcubed.store.cubes import Cube
from memcubed.store.session import Database

_FIRST_POLL_SECONDS: Final = 0.02
_LAST_POLL_SECONDS: Final = 0.25
_OPEN_TRIES: Final = 3

Enqueue = Callable[[AsyncConnection, UUID, Sequence[UUID], UUID], Awaitable[None]]
"""Puts the jobs for the shares of a task (project, cubes, task) on the queue, on the transaction it is given."""


class TaskKind(StrEnum):
    """What a task does; which job its shares get follows from it."""

    MESSAGES = "messages"
    FEEDBACK = "feedback"


class TaskStatus(StrEnum):
    """Where a task, or its share in one cube, stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """What a request asked for beside its messages."""

    conversation_id: str
    app_id: str | None = None
    agent_id: str | None = None
    tags: tuple[str, ...] = ()
    info: Mapping[str, JsonValue] = field(default_factory=dict)
    kinds: frozenset[MemoryKind] = frozenset(MemoryKind)
    related_ids: tuple[str, ...] = ()
    task_kind: TaskKind = TaskKind.MESSAGES
    tools: tuple[str, ...] = ()
    user_ids: tuple[str, ...] = ()

    def to_json(self) -> dict[str, JsonValue]:
        """As it is stored with the task."""
        return {
            "conversation_id": self.conversation_id,
            "app_id": self.app_id,
            "agent_id": self.agent_id,
            "tags": list(self.tags),
            "info": dict(self.info),
            "kinds": [kind.value for kind in sorted(self.kinds)],
            "related_ids": list(self.related_ids),
            "task_kind": self.task_kind.value,
            "tools": list(self.tools),
            "user_ids": list(self.user_ids),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, JsonValue]) -> "TaskOptions":
        """The inverse of `to_json`."""
        tags, info, kinds = stored["tags"], stored["info"], stored["kinds"]
        related_ids, tools, user_ids = (stored.get(name) for name in ("related_ids", "tools", "user_ids"))
        app_id, agent_id = stored["app_id"], stored["agent_id"]
        return cls(
            conversation_id=str(stored["conversation_id"]),
            app_id=None if app_id is None else str(app_id),
            agent_id=None if agent_id is None else str(agent_id),
            tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
            info=info if isinstance(info, dict) else {},
            kinds=frozenset(MemoryKind(str(kind)) for kind in kinds) if isinstance(kinds, list) else frozenset(),
            related_ids=tuple(str(id_) for id_ in related_ids) if isinstance(related_ids, list) else (),
            task_kind=TaskKind(str(stored.get("task_kind", TaskKind.MESSAGES))),
            tools=tuple(str(tool) for tool in tools) if isinstance(tools, list) else (),
            user_ids=tuple(str(id_) for id_ in user_ids) if isinstance(user_ids, list) else (),
        )


@dataclass(frozen=True, slots=True)
class Task:
    """A task as its owner sees it.

    `memories` counts what was added; `reasons` say what else was done, why nothing was added, or why it failed.
    """

    id: UUID
    status: TaskStatus
    memories: Mapping[MemoryKind, int]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenedTask:
    """`is_new` is False when the request repeats one that was accepted before."""

    id: UUID
    is_new: bool


class TaskService:
    """Opens tasks and tells how they stand."""

    def __init__(self, database: Database, enqueue: Mapping[TaskKind, Enqueue]) -> None:
        self._database = database
        self._enqueue = enqueue

    async def open(
        self,
        connection: AsyncConnection,
        project_id: UUID,
        options: TaskOptions,
        *,
        body_hash: str,
        idempotency_key: str | None,
    ) -> OpenedTask:
        """A new task, which needs its shares yet, or the one that this request repeats.

        A request with an idempotency key repeats the one that had the same key; one without repeats a request
        with the same body whose task is still running.
        """
        repository = TaskRepository(connection, project_id)
        for _ in range(_OPEN_TRIES):
            task_id = uuid4()
            if await repository.insert_task(task_id, options.to_json(), body_hash, idempotency_key):
                return OpenedTask(task_id, is_new=True)
            if idempotency_key is not None:
                earlier = await repository.find_by_key(idempotency_key)
                if earlier is not None and earlier.body_hash != body_hash:
                    raise ConflictError("This Idempotency-Key was used before with a different body.")
            else:
                earlier = await repository.find_running(body_hash)
            if earlier is not None:
                return OpenedTask(earlier.id, is_new=False)
            # The task in the way finished between the two statements: now there is room.
        raise ServiceUnavailableError("The task could not be opened; try again.")

    async def share_out(
        self,
        connection: AsyncConnection,
        project_id: UUID,
        task_id: UUID,
        cubes: Sequence[Cube],
        *,
        kind: TaskKind = TaskKind.MESSAGES,
    ) -> None:
        """Give a new task its share, and a job, in each of these cubes."""
        repository = TaskRepository(connection, project_id)
        cube_ids = [cube.id for cube in cubes]
        await repository.insert_shares(task_id, cube_ids, TaskStatus.RUNNING)
        await self._enqueue[kind](connection, project_id, cube_ids, task_id)

    async def requeue(self, project_id: UUID, task_id: UUID, cube_id: UUID) -> bool:
        """Give a share that is running without a job a new one; False when it ended meanwhile."""
        async with self._database.transaction(project_id) as connection:
            repository = TaskRepository(connection, project_id)
            if await repository.lock_share(cube_id, task_id) != TaskStatus.RUNNING:
                return False
            await self._enqueue_shares(connection, project_id, [cube_id], task_id)
        return True

    async def retry(self, project_id: UUID, task_id: UUID) -> int:
        """Start the failed shares of a task anew, with all their tries; how many. Raises TaskNotFoundError."""
        async with self._database.transaction(project_id) as connection:
            repository = TaskRepository(connection, project_id)
            if await repository.find_options(task_id) is None:
                raise TaskNotFoundError(f"There is no task {task_id}.")
            cube_ids = await repository.reopen_failed(task_id)
            if cube_ids:
                await self._enqueue_shares(connection, project_id, cube_ids, task_id)
        return len(cube_ids)

    async def list_failed(self, project_id: UUID) -> list[UUID]:
        """Every task of a project of which a share failed, oldest first."""
        async with self._database.transaction(project_id) as connection:
            return await TaskRepository(connection, project_id).list_failed()

    async def list_newest(self, project_id: UUID, status: TaskStatus | None, limit: int) -> list[ShareSummary]:
        """The newest shares of a project's tasks, of one status or of all."""
        async with self._database.transaction(project_id) as connection:
            return await TaskRepository(connection, project_id).list_newest(status, limit)

    async def _enqueue_shares(
        self, connection: AsyncConnection, project_id: UUID, cube_ids: Sequence[UUID], task_id: UUID
    ) -> None:
        stored = await TaskRepository(connection, project_id).find_options(task_id)
        kind = TaskKind.MESSAGES if stored is None else TaskOptions.from_json(stored).task_kind
        await self._enqueue[kind](connection, project_id, cube_ids, task_id)

    async def get(self, project_id: UUID, task_id: UUID) -> Task:
        """How a task stands. Raises TaskNotFoundError."""
        async with self._database.look_up(project_id) as connection:
            shares = await TaskRepository(connection, project_id).list_shares(task_id)
        if not shares:
            raise TaskNotFoundError(f"There is no task {task_id}.")
        statuses = {TaskStatus(share.status) for share in shares}
        if TaskStatus.RUNNING in statuses:
            status = TaskStatus.RUNNING
        else:
            status = TaskStatus.FAILED if TaskStatus.FAILED in statuses else TaskStatus.COMPLETED
        memories = {
            kind: sum(share.memories.get(kind, 0) for share in shares)
            for kind in MemoryKind
            if any(kind in share.memories for share in shares)
        }
        reasons = tuple(dict.fromkeys(share.reason for share in shares if share.reason))
        if status is TaskStatus.COMPLETED and memories:
            reasons = ()  # a share that added nothing is no news when another did
        notes = tuple(dict.fromkeys(share.note for share in shares if share.note))
        return Task(task_id, status, memories, notes + reasons)

    async def wait(self, project_id: UUID, task_id: UUID, seconds: float) -> TaskStatus:
        """The task's status once it has ended, or after this many seconds."""
        deadline = time.monotonic() + seconds
        pause = _FIRST_POLL_SECONDS
        while True:
            status = (await self.get(project_id, task_id)).status
            if status is not TaskStatus.RUNNING or time.monotonic() + pause > deadline:
                return status
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LAST_POLL_SECONDS)
