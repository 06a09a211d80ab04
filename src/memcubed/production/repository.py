"""Tasks, their shares and the messages they read, in the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.language.redaction import redacting
from memcubed.memories.model import MemoryKind
from memcubed.messages.model import Role, Turn
from memcubed.messages.tool_use import tool_fields
from memcubed.production.attachments.repository import AttachmentRepository
from memcubed.production.model import ShareSummary
from memcubed.store.cubes import Cube, CubeKind
from memcubed.store.tables import cubes, messages, task_shares, tasks

_INSERT_TASK: Final = insert(tasks).on_conflict_do_nothing().returning(tasks.c.id)


@dataclass(frozen=True, slots=True)
class EarlierTask:
    """A task that a request may repeat."""

    id: UUID
    body_hash: str


@dataclass(frozen=True, slots=True)
class RunningShare:
    """A share that is still running: whose cube it is in, and what its task's request asked for."""

    cube: Cube
    options: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ShareRecord:
    """A task's share in one cube: its status, what was added, why none or why it failed, and what else was done."""

    status: str
    memories: Mapping[MemoryKind, int]
    reason: str | None
    note: str | None


class TaskRepository:
    """The tasks of one project, in the transaction it is given."""

    def __init__(self, connection: AsyncConnection, project_id: UUID) -> None:
        self._connection = connection
        self._project_id = project_id

    async def insert_task(
        self, task_id: UUID, options: Mapping[str, JsonValue], body_hash: str, idempotency_key: str | None
    ) -> bool:
        """False when the request repeats an earlier one."""
        result = await self._connection.execute(
            _INSERT_TASK,
            {
                "id": task_id,
                "project_id": self._project_id,
                "options": dict(options),
                "idempotency_key": idempotency_key,
                "body_hash": body_hash,
                "running_body_hash": body_hash if idempotency_key is None else None,
            },
        )
        return result.one_or_none() is not None

    async def insert_shares(self, task_id: UUID, cube_ids: Sequence[UUID], status: str) -> None:
        """A share of the task for each cube."""
        await self._connection.execute(
            insert(task_shares),
            [
                {"cube_id": cube_id, "task_id": task_id, "project_id": self._project_id, "status": status}
                for cube_id in cube_ids
            ],
        )

    async def find_by_key(self, idempotency_key: str) -> EarlierTask | None:
        """The task of an idempotency key."""
        row = (
            await self._connection.execute(
                select(tasks.c.id, tasks.c.body_hash).where(
                    tasks.c.project_id == self._project_id, tasks.c.idempotency_key == idempotency_key
                )
            )
        ).one_or_none()
        return None if row is None else EarlierTask(row.id, row.body_hash)

    async def find_running(self, body_hash: str) -> EarlierTask | None:
        """The running task of a request without a key that had this body."""
        row = (
            await self._connection.execute(
                select(tasks.c.id, tasks.c.body_hash).where(
                    tasks.c.project_id == self._project_id, tasks.c.running_body_hash == body_hash
                )
            )
        ).one_or_none()
        return None if row is None else EarlierTask(row.id, row.body_hash)

    async def list_shares(self, task_id: UUID) -> list[ShareRecord]:
        """The shares of a task; none when there is no such task in this project."""
        rows = await self._connection.execute(
            select(task_shares).where(task_shares.c.project_id == self._project_id, task_shares.c.task_id == task_id)
        )
        return [
            ShareRecord(
                status=row.status,
                memories={MemoryKind(kind): count for kind, count in (row.receipt or {}).get("memories", {}).items()},
                reason=row.last_error if row.receipt is None else row.receipt["reason"],
                note=(row.receipt or {}).get("note"),
            )
            for row in rows
        ]

    async def find_options(self, task_id: UUID) -> Mapping[str, JsonValue] | None:
        """What the task's request asked for."""
        options: Mapping[str, JsonValue] | None = (
            await self._connection.execute(
                select(tasks.c.options).where(tasks.c.project_id == self._project_id, tasks.c.id == task_id)
            )
        ).scalar_one_or_none()
        return options

    async def find_running_share(self, cube_id: UUID, task_id: UUID) -> RunningShare | None:
        """The share, unless it has ended or its owner was deleted."""
        row = (
            await self._connection.execute(
                select(cubes.c.kind, cubes.c.owner, tasks.c.options)
                .select_from(task_shares)
                .join(tasks, tasks.c.id == task_shares.c.task_id)
                .join(cubes, cubes.c.id == task_shares.c.cube_id)
                .where(
                    task_shares.c.project_id == self._project_id,
                    tasks.c.project_id == self._project_id,
                    cubes.c.project_id == self._project_id,
                    task_shares.c.cube_id == cube_id,
                    task_shares.c.task_id == task_id,
                    task_shares.c.status == "running",
                )
            )
        ).one_or_none()
        return None if row is None else RunningShare(Cube(self._project_id, CubeKind(row.kind), row.owner), row.options)

    async def lock_share(self, cube_id: UUID, task_id: UUID) -> str | None:
        """A share's status; nobody else can end it, or delete its cube, before this transaction ends.

        The cube is locked first, as everywhere: the share is when the rows of both have been found.
        """
        held = (
            select(cubes.c.id)
            .where(cubes.c.project_id == self._project_id, cubes.c.id == cube_id)
            .with_for_update(read=True, key_share=True)
            .cte("held")
        )
        statement = (
            select(task_shares.c.status)
            .join(held, held.c.id == task_shares.c.cube_id)
            .where(
                *self._is_share(cube_id, task_id),
            )
            .with_for_update(of=task_shares)
        )
        status: str | None = (await self._connection.execute(statement)).scalar_one_or_none()
        return status

    def _is_share(self, cube_id: UUID, task_id: UUID) -> tuple[ColumnElement[bool], ...]:
        return (
            task_shares.c.project_id == self._project_id,
            task_shares.c.cube_id == cube_id,
            task_shares.c.task_id == task_id,
        )

    async def count_failures(self, cube_id: UUID, task_id: UUID) -> int:
        """How many tries of a share have failed; 0 when there is no such share."""
        failures: int | None = (
            await self._connection.execute(
                select(task_shares.c.attempts).where(
                    *self._is_share(cube_id, task_id),
                )
            )
        ).scalar_one_or_none()
        return failures or 0

    async def record_failure(self, cube_id: UUID, task_id: UUID, error: str) -> None:
        """Count a try that failed."""
        await self._connection.execute(
            update(task_shares)
            .where(
                *self._is_share(cube_id, task_id),
            )
            .values(attempts=task_shares.c.attempts + 1, last_error=error)
        )

    async def count_waits(self, cube_id: UUID, task_id: UUID) -> int:
        """How many tries of a share were put off; 0 when there is no such share."""
        waits: int | None = (
            await self._connection.execute(
                select(task_shares.c.waits).where(
                    *self._is_share(cube_id, task_id),
                )
            )
        ).scalar_one_or_none()
        return waits or 0

    async def record_wait(self, cube_id: UUID, task_id: UUID, reason: str) -> None:
        """Count a try that was put off, which is none that failed, while the share is running."""
        await self._connection.execute(
            update(task_shares)
            .where(
                *self._is_share(cube_id, task_id),
                task_shares.c.finished_at.is_(None),
            )
            .values(waits=task_shares.c.waits + 1, last_error=reason)
        )

    async def finish_share(
        self,
        cube_id: UUID,
        task_id: UUID,
        status: str,
        *,
        memories: Mapping[MemoryKind, int],
        reason: str | None,
        now: datetime,
        note: str | None = None,
    ) -> None:
        """End a share with its receipt, and the task with its last share."""
        await self._connection.execute(
            update(task_shares)
            .where(
                *self._is_share(cube_id, task_id),
            )
            .values(
                status=status,
                receipt={
                    "memories": {kind.value: count for kind, count in memories.items()},
                    "reason": reason,
                    "note": note,
                },
                finished_at=now,
            )
        )
        # Shares that end at the same moment take turns here. Each has a key-share lock on the task already, from the
        # memories that refer to it: a full lock would be a deadlock.
        await self._connection.execute(select(tasks.c.id).where(tasks.c.id == task_id).with_for_update(key_share=True))
        await self._connection.execute(
            update(tasks)
            .where(
                tasks.c.project_id == self._project_id,
                tasks.c.id == task_id,
                ~select(task_shares.c.task_id)
                .where(task_shares.c.task_id == task_id, task_shares.c.finished_at.is_(None))
                .exists(),
            )
            .values(finished_at=now, running_body_hash=None)
        )
        attachments = AttachmentRepository(self._connection, self._project_id)
        await attachments.forget_readings(task_id)
        if redacting.get():
            await attachments.forget_files(task_id)

    async def list_failed(self) -> list[UUID]:
        """The tasks of which a share failed, oldest first."""
        rows = await self._connection.execute(
            select(tasks.c.id)
            .join(task_shares, task_shares.c.task_id == tasks.c.id)
            .where(
                tasks.c.project_id == self._project_id,
                task_shares.c.project_id == self._project_id,
                task_shares.c.status == "failed",
            )
            .group_by(tasks.c.id)
            .order_by(tasks.c.created_at)
        )
        return list(rows.scalars())

    async def reopen_failed(self, task_id: UUID) -> list[UUID]:
        """Set the failed shares of a task back to their beginning; their cubes."""
        rows = await self._connection.execute(
            update(task_shares)
            .where(
                task_shares.c.project_id == self._project_id,
                task_shares.c.task_id == task_id,
                task_shares.c.status == "failed",
            )
            .values(status="running", attempts=0, receipt=None, finished_at=None)
            .returning(task_shares.c.cube_id)
        )
        cube_ids = sorted(rows.scalars())
        if cube_ids:
            await self._connection.execute(
                update(tasks)
                .where(tasks.c.project_id == self._project_id, tasks.c.id == task_id)
                .values(finished_at=None)
            )
        return cube_ids

    async def list_newest(self, status: str | None, limit: int) -> list[ShareSummary]:
        """The newest shares, of one status or of all."""
        statement = (
            select(
                task_shares.c.task_id,
                cubes.c.kind,
                cubes.c.owner,
                task_shares.c.status,
                task_shares.c.attempts,
                func.coalesce(task_shares.c.receipt["reason"].astext, task_shares.c.last_error).label("reason"),
                tasks.c.created_at,
                task_shares.c.finished_at,
            )
            .join(tasks, tasks.c.id == task_shares.c.task_id)
            .join(cubes, cubes.c.id == task_shares.c.cube_id)
            .where(task_shares.c.project_id == self._project_id, tasks.c.project_id == self._project_id)
            .order_by(tasks.c.created_at.desc(), task_shares.c.task_id, task_shares.c.cube_id)
            .limit(limit)
        )
        if status is not None:
            statement = statement.where(task_shares.c.status == status)
        return [ShareSummary(*row) for row in await self._connection.execute(statement)]

    async def list_turns(self, cube_id: UUID, task_id: UUID) -> list[Turn]:
        """The messages of a task, in order."""
        rows = await self._connection.execute(
            select(messages)
            .where(
                messages.c.project_id == self._project_id,
                messages.c.cube_id == cube_id,
                messages.c.task_id == task_id,
            )
            .order_by(messages.c.position)
        )
        return [_turn(row) for row in rows]

    async def list_earlier_turns(self, cube_id: UUID, conversation_id: str, task_id: UUID, limit: int) -> list[Turn]:
        """The conversation's turns just before those of a task, in order."""
        first = (
            select(func.min(messages.c.position))
            .where(messages.c.cube_id == cube_id, messages.c.task_id == task_id)
            .scalar_subquery()
        )
        rows = await self._connection.execute(
            select(messages)
            .where(
                messages.c.project_id == self._project_id,
                messages.c.cube_id == cube_id,
                messages.c.conversation_id == conversation_id,
                messages.c.position < first,
            )
            .order_by(messages.c.position.desc())
            .limit(limit)
        )
        turns = [_turn(row) for row in rows]
        return turns[::-1]


def _turn(row: Row[Any]) -> Turn:
    role = Role(row.role)
    return Turn(row.id, role, row.text, row.chat_time, row.speaker, **tool_fields(role, row.payload))
