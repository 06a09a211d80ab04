"""What was recalled lately, and for whom: so that production knows it again when it comes back in messages."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.clock import Clock
from memcubed.memories.model import KnownMemory
from memcubed.recall.recalled_repository import RecalledRepository
from memcubed.store.session import Database, committing

KEPT_FOR: Final = timedelta(days=7)
"""How long a memory counts as recalled in a conversation."""

MOST_KEPT: Final = 1000
"""How many recalled memories are kept for one user or agent; the newest."""

MOST_READ: Final = 200
"""How many of them an extraction is held against."""

_MOST_WAITING: Final = 200

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RecalledMemory:
    """A memory that was recalled. `texts` are what an application may have pasted of it."""

    memory: KnownMemory
    is_settled: bool
    texts: tuple[str, ...]


class RecalledMemories:
    """Keeps the ids of recalled memories, a row for each in a conversation.

    A search does not wait for that: its answer goes out while a task of its own writes, one at a time in a process.
    What is lost when the process ends, or too many wait, costs no more than that a paste is learnt once.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._turn = asyncio.Lock()
        self._writing: set[asyncio.Task[None]] = set()

    def note(
        self, project_id: UUID, scopes: Sequence[UUID], conversation_id: str | None, ids: Collection[UUID]
    ) -> None:
        """Keep, soon, that memories were recalled for these cubes; in any conversation when none is named."""
        if not ids or len(self._writing) >= _MOST_WAITING:
            return
        task = asyncio.create_task(self._write(project_id, scopes, conversation_id or "", ids), name="note of a recall")
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def list_recalled(
        self,
        connection: AsyncConnection,
        project_id: UUID,
        scopes: Sequence[UUID],
        conversation_id: str | None,
        *,
        before_task: UUID,
    ) -> list[RecalledMemory]:
        """What was recalled for these cubes in a conversation (None: in any), of what is older than a task."""
        since = self._clock() - KEPT_FOR
        rows = await RecalledRepository(connection, project_id).list_recalled(
            scopes, conversation_id, since=since, before_task=before_task, limit=MOST_READ
        )
        return [
            RecalledMemory(KnownMemory(row.id, row.kind, row.value), row.is_settled, (row.value, row.reasoning))
            for row in rows
        ]

    async def drain(self) -> None:
        """Wait until everything noted is kept."""
        while self._writing:
            await asyncio.wait(self._writing)

    async def _write(
        self, project_id: UUID, scopes: Sequence[UUID], conversation_id: str, ids: Collection[UUID]
    ) -> None:
        async with self._turn:
            now = self._clock()
            try:
                async with self._database.transaction(project_id) as connection, committing(connection):
                    repository = RecalledRepository(connection, project_id)
                    await repository.add(scopes, conversation_id, ids, now=now)
                    for scope in scopes:
                        await repository.prune(scope, before=now - KEPT_FOR, most=MOST_KEPT)
            except (SQLAlchemyError, psycopg.Error) as error:
                reason = str(getattr(error, "orig", error)).splitlines()[0][:200]
                log.warning("recall_not_noted", error=type(error).__name__, reason=reason)
