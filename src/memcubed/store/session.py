"""The way to the database: one transaction, one tenant."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import QueuePool

from memcubed.settings import sqlalchemy_url
from memcubed.store.opening import OpeningConnection, OpeningCursor, Statement

UNAVAILABLE_ERRORS: Final = (
    OperationalError,
    InterfaceError,
    PoolTimeoutError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
"""What is raised when the database can't be reached, went away, or has no connection to spare."""

TENANT: Final = "memcubed.project_id"
PRESENTED_KEY: Final = "memcubed.key_hash"
INSTALLATION: Final = "memcubed.installation"

_BEGIN: Final[LiteralString] = "BEGIN"
_SNAPSHOT: Final[LiteralString] = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_COMMIT: Final[LiteralString] = "COMMIT"
_SET: Final[LiteralString] = "set_config(%s, %s, true)"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PoolUse:
    """Connections of a process: those at work, and those kept for the next."""

    in_use: int
    idle: int


class Database:
    """A pool of connections as the service's own role, which row-level security binds."""

    def __init__(self, url: str, *, pool_size: int) -> None:
        self._engine = create_async_engine(
            sqlalchemy_url(url),
            hide_parameters=True,  # errors are logged, and what users say is not
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            connect_args={
                "async_creator_fn": OpeningConnection.connect,
                "cursor_factory": OpeningCursor,
                "autocommit": True,  # transactions begin as `transaction` and `look_up` say
                "connect_timeout": 10,
                "application_name": "memcubed",
            },
        )
        # Rows that are inserted together go in one statement: for a few of them it is the statements that cost.
        self._engine.dialect.use_insertmanyvalues_wo_returning = True

    @asynccontextmanager
    async def transaction(self, project_id: UUID | None) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees the rows of one project; without a project, those of no tenant table.

        Commits at the end of the block, rolls back on any error. Never hold one across a model call.
        """
        connection = await self._connect()
        try:
            driver = await driver_connection(connection)
            driver.open((_BEGIN, ()), _set({TENANT: _tenant(project_id)}))
            yield connection
            await connection.commit()
            driver.committed()
        finally:
            await connection.close()

    @asynccontextmanager
    async def look_up(self, project_id: UUID | None) -> AsyncIterator[AsyncConnection]:
        """The same for a single statement that only reads: it takes one round trip, and no other may follow."""
        connection = await self._connect()
        try:
            # What is sent together without a BEGIN is a transaction of its own.
            (await driver_connection(connection)).open(_set({TENANT: _tenant(project_id)}), is_single=True)
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def snapshot(self, project_id: UUID) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads, and sees one state of a project's rows, whatever others do meanwhile."""
        connection = await self._connect()
        try:
            driver = await driver_connection(connection)
            driver.open((_SNAPSHOT, ()))
            await driver.execute(*_set({TENANT: str(project_id)}))  # at once: what is streamed opens nothing
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def installation_transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees what belongs to the installation, such as admin keys, and no tenant's rows."""
        async with self.transaction(None) as connection:
            driver = await driver_connection(connection)
            await driver.execute(*_set({INSTALLATION: "on"}))
            yield connection

    async def _connect(self) -> AsyncConnection:
        """A pooled connection, or a new one when that died while it was idle."""
        connection = await self._engine.connect()
        if not (await driver_connection(connection)).has_ended:
            return connection
        await self._discard(connection)
        await connection.close()
        return await self._engine.connect()

    async def read(
        self,
        query: LiteralString,
        parameters: Mapping[str, Any],
        *,
        project_id: UUID | None = None,
        presented_key: str | None = None,
        server_settings: Mapping[str, str] | None = None,
    ) -> list[Row]:
        """The rows of one statement in a transaction of its own, in a single round trip.

        The statement uses psycopg's `%(name)s` parameters. It is repeated once when a pooled connection turns
        out to be dead, so it must be safe to run twice. `server_settings` hold for its transaction.
        """
        settings = {TENANT: _tenant(project_id), PRESENTED_KEY: presented_key or "", **(server_settings or {})}
        try:
            return await self._read_once(query, parameters, settings)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            return await self._read_once(query, parameters, settings)

    async def _read_once(
        self, query: LiteralString, parameters: Mapping[str, Any], settings: Mapping[str, str]
    ) -> list[Row]:
        connection = await self._connect()
        try:
            driver = await driver_connection(connection)
            try:
                driver.open(_set(settings), is_single=True)
                cursor = driver.cursor(row_factory=dict_row)
                await cursor.execute(query, parameters)
                return await cursor.fetchall()
            except psycopg.Error:
                if driver.closed:
                    await self._discard(connection)
                raise
        finally:
            await connection.close()

    async def _discard(self, connection: AsyncConnection) -> None:
        await connection.invalidate()
        await self._engine.dispose()  # the other idle ones have most likely died with it

    @property
    def pool_use(self) -> PoolUse:
        """How the pool is used at this moment."""
        pool = self._engine.pool
        if not isinstance(pool, QueuePool):
            raise TypeError(f"expected a pool of connections, not {type(pool).__name__}")
        return PoolUse(pool.checkedout(), pool.checkedin())

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


@asynccontextmanager
async def pipelined(connection: AsyncConnection) -> AsyncIterator[None]:
    """Send the block's statements together, in one round trip.

    For statements whose results nobody reads; what one of them raises comes out at the end of the block.
    """
    async with (await driver_connection(connection)).pipeline():
        yield


@asynccontextmanager
async def committing(connection: AsyncConnection) -> AsyncIterator[None]:
    """The same for the last statements of a transaction, which is committed along with them."""
    driver = await driver_connection(connection)
    async with driver.pipeline():
        yield
        await driver.execute(_COMMIT)
    driver.end()


async def driver_connection(connection: AsyncConnection) -> OpeningConnection:
    """The psycopg connection beneath, for what SQLAlchemy does not offer (pipelines, the job queue)."""
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    if not isinstance(driver, OpeningConnection):
        raise TypeError(f"expected a connection of the service's own, not {type(driver).__name__}")
    return driver


def _tenant(project_id: UUID | None) -> str:
    return "" if project_id is None else str(project_id)


def _set(settings: Mapping[str, str]) -> Statement:
    """What sets these until the transaction ends."""
    calls: LiteralString = ", ".join([_SET] * len(settings))
    return "SELECT " + calls, tuple(text for setting in settings.items() for text in setting)
