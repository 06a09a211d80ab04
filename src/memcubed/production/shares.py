"""A task's share in one cube: what its job reads, and how it ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.clock import Clock
from memcubed.memories.model import MemoryKind, Provenance
from memcubed.messages.model import Turn, redacted_if_asked
from memcubed.production.model import Owner
from memcubed.production.perspective import identify, named
from memcubed.production.repository import TaskRepository
from memcubed.production.tasks import TaskOptions, TaskStatus
from memcubed.store.session import Database, driver_connection
from memcubed.usage.service import UsageService

CONTEXT_TURNS: Final = 6
"""How many earlier turns of the conversation are read beside the new ones."""

_NOTHING: Final = "nothing"  # an end of a part that completed and made no memory


@dataclass(frozen=True, slots=True)
class Share:
    """A share that is still running: its messages, the turns before them, and what the request asked for.

    `owner` is known where it can be told which of the speakers the cube's owner is.
    """

    project_id: UUID
    cube_id: UUID
    task_id: UUID
    turns: Sequence[Turn]
    context: Sequence[Turn]
    options: TaskOptions
    owner: Owner | None = None

    @property
    def provenance(self) -> Provenance:
        """What memories made of it inherit."""
        options = self.options
        return Provenance(
            self.task_id, options.conversation_id, options.app_id, options.agent_id, options.info, options.related_ids
        )


class Receipts:
    """Counts how shares end in this process, and what they made, once the transaction that says so has committed."""

    def __init__(self, registry: CollectorRegistry, usage: UsageService) -> None:
        self._usage = usage
        self._ends = Counter("memcubed_task_parts", "Parts of tasks that ended.", ["end"], registry=registry)
        self._memories = Counter("memcubed_memories", "Memories produced.", ["kind"], registry=registry)
        for end in (TaskStatus.COMPLETED.value, _NOTHING, TaskStatus.FAILED.value):
            self._ends.labels(end)  # from 0, so that the first one is an increase
        for kind in MemoryKind:
            self._memories.labels(kind.value)

    async def count(
        self,
        connection: AsyncConnection,
        project_id: UUID,
        task_id: UUID,
        status: TaskStatus,
        memories: Mapping[MemoryKind, int],
    ) -> None:
        """One more share ends with this transaction, with so many memories of each kind."""
        counted = partial(self._count, project_id, task_id, status, dict(memories))
        (await driver_connection(connection)).after_commit(counted)

    def _count(self, project_id: UUID, task_id: UUID, status: TaskStatus, memories: Mapping[MemoryKind, int]) -> None:
        made = {kind: count for kind, count in memories.items() if count}
        self._ends.labels(status.value if made or status != TaskStatus.COMPLETED else _NOTHING).inc()
        for kind, count in made.items():
            self._memories.labels(kind.value).inc(count)
        self._usage.add_memories(project_id, task_id, made)


class ShareService:
    """Reads shares and ends them."""

    def __init__(self, database: Database, clock: Clock, receipts: Receipts) -> None:
        self._database = database
        self._clock = clock
        self._receipts = receipts

    async def find_running(self, project_id: UUID, cube_id: UUID, task_id: UUID) -> Share | None:
        """The share, unless it has ended or its owner was deleted."""
        async with self._database.transaction(project_id) as connection:
            repository = TaskRepository(connection, project_id)
            running = await repository.find_running_share(cube_id, task_id)
            if running is None:
                return None
            cube, options = running.cube, TaskOptions.from_json(running.options)
            turns: Sequence[Turn] = await repository.list_turns(cube_id, task_id)
            context: Sequence[Turn] = await repository.list_earlier_turns(
                cube_id, options.conversation_id, task_id, CONTEXT_TURNS
            )
        turns, context = await redacted_if_asked(turns), await redacted_if_asked(context)
        turns, context = (named(cube, options.user_ids, read) for read in (turns, context))
        owner = identify(cube, options.user_ids, (*context, *turns))
        return Share(project_id, cube_id, task_id, turns, context, options, owner)

    async def lock(self, connection: AsyncConnection, share: Share) -> bool:
        """Whether the share is still running; if so nobody else can end it before this transaction does."""
        repository = TaskRepository(connection, share.project_id)
        return await repository.lock_share(share.cube_id, share.task_id) == TaskStatus.RUNNING

    async def complete(
        self,
        connection: AsyncConnection,
        share: Share,
        *,
        memories: Mapping[MemoryKind, int],
        reason: str | None,
        note: str | None = None,
    ) -> None:
        """End the share with its receipt. `reason` says why nothing was added, `note` what else was done."""
        await TaskRepository(connection, share.project_id).finish_share(
            share.cube_id,
            share.task_id,
            TaskStatus.COMPLETED,
            memories=memories,
            reason=reason,
            note=note,
            now=self._clock(),
        )
        await self._receipts.count(connection, share.project_id, share.task_id, TaskStatus.COMPLETED, memories)

    async def count_failures(self, project_id: UUID, cube_id: UUID, task_id: UUID) -> int:
        """How many tries of a share have failed so far; those cut short by a worker's end do not count."""
        async with self._database.look_up(project_id) as connection:
            return await TaskRepository(connection, project_id).count_failures(cube_id, task_id)

    async def count_waits(self, project_id: UUID, cube_id: UUID, task_id: UUID) -> int:
        """How many tries of a share were put off until later."""
        async with self._database.look_up(project_id) as connection:
            return await TaskRepository(connection, project_id).count_waits(cube_id, task_id)

    async def record_wait(self, project_id: UUID, cube_id: UUID, task_id: UUID, reason: str) -> None:
        """Note why a try was put off until later; get/status shows it."""
        async with self._database.transaction(project_id) as connection:
            await TaskRepository(connection, project_id).record_wait(cube_id, task_id, reason)

    async def record_failure(
        self, project_id: UUID, cube_id: UUID, task_id: UUID, error: str, *, is_final: bool
    ) -> None:
        """Note a try that failed; the last one ends the share as failed. Its raw turns stay recallable."""
        async with self._database.transaction(project_id) as connection:
            repository = TaskRepository(connection, project_id)
            if await repository.lock_share(cube_id, task_id) != TaskStatus.RUNNING:
                return
            await repository.record_failure(cube_id, task_id, error)
            if is_final:
                await repository.finish_share(
                    cube_id, task_id, TaskStatus.FAILED, memories={}, reason=error, now=self._clock()
                )
                await self._receipts.count(connection, project_id, task_id, TaskStatus.FAILED, {})
