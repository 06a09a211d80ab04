"""Places among the calls that run at once, counted over all processes on one database."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from prometheus_client import CollectorRegistry, Histogram

from memcubed.settings import libpq_url

_LOCKS: Final = 0x6D636C6D  # "mclm": the first number of these advisory locks
_PAUSE_SECONDS: Final = (0.03, 0.1)
_CONNECT_SECONDS: Final = 10

# Only one row is looked at beyond those whose locks others hold, so only one lock is taken. A session may take its own
# locks again, so those are left out.
_TAKE: Final = """
SELECT number FROM unnest(%s::int[]) AS number WHERE pg_try_advisory_lock(%s, number) LIMIT 1
"""
_GIVE_BACK: Final = "SELECT pg_advisory_unlock(%s, %s)"


@dataclass(frozen=True, slots=True)
class _Slot:
    number: int
    connection: psycopg.AsyncConnection


class DatabaseSlots:
    """At most `count` blocks run at once, in all processes; 0: as many as come.

    A place is an advisory lock of a session, on a connection that the process keeps for nothing else: no transaction
    is open while a block runs, and PostgreSQL frees the places of a process that dies by itself. When that connection
    breaks, blocks that run go on without their places. Who waits asks again every few hundredths of a second.
    """

    def __init__(self, url: str, count: int, registry: CollectorRegistry) -> None:
        self._url = libpq_url(url)
        self._count = count
        self._connection: psycopg.AsyncConnection | None = None
        self._held: set[int] = set()
        self._lock = asyncio.Lock()
        self._waits = Histogram(
            "memcubed_model_slot_wait_seconds", "Time that calls to the model waited for a place.", registry=registry
        )

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Wait for a place, and keep it for the block. Raises psycopg.OperationalError without a database."""
        if not self._count:
            yield
            return
        slot = await self._wait()
        try:
            yield
        finally:
            await asyncio.shield(self._give_back(slot))

    async def close(self) -> None:
        """Give up the connection, and with it every place."""
        async with self._lock:
            if self._connection is not None:
                await self._connection.close()

    async def _wait(self) -> _Slot:
        started = time.monotonic()
        while True:
            taking = asyncio.create_task(self._take())
            try:
                slot = await asyncio.shield(taking)
            except asyncio.CancelledError:
                # it may be about to get a place, which nobody would give back
                if (late := await taking) is not None:
                    await self._give_back(late)
                raise
            if slot is not None:
                self._waits.observe(time.monotonic() - started)
                return slot
            await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 - jitter is no secret

    async def _take(self) -> _Slot | None:
        async with self._lock:
            free = [number for number in range(self._count) if number not in self._held]
            if not free:
                return None
            connection = await self._connected()
            row = await (await connection.execute(_TAKE, (free, _LOCKS))).fetchone()
            if row is None:
                return None
            self._held.add(row[0])
            return _Slot(row[0], connection)

    async def _give_back(self, slot: _Slot) -> None:
        async with self._lock:
            if slot.connection is not self._connection:
                return  # it broke meanwhile, and its places were free from then on
            self._held.discard(slot.number)
            try:
                await slot.connection.execute(_GIVE_BACK, (_LOCKS, slot.number))
            except (psycopg.OperationalError, psycopg.InterfaceError):
                await slot.connection.close()

    async def _connected(self) -> psycopg.AsyncConnection:
        if self._connection is None or self._connection.closed:
            self._held.clear()
            self._connection = await psycopg.AsyncConnection.connect(
                self._url,
                autocommit=True,
                connect_timeout=_CONNECT_SECONDS,
                application_name="memcubed model slots",
            )
        return self._connection
