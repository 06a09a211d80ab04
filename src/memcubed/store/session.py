"""The way to the database: one transaction, one tenant."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from memcubed.settings import sqlalchemy_url

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

_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_SET_ONE: Final = "SELECT set_config(%s, %s, true)"

Row = dict[str, Any]


class Database:
    """A pool of connections as the service's own role, which row-level security binds."""

    def __init__(self, url: str, *, pool_size: int) -> None:
        self._engine = create_async_engine(
            sqlalchemy_url(url),
            hide_parameters=True,  # errors are logged, and what users say is not
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            connect_args={"connect_timeout": 10, "application_name": "memcubed"},
        )

    @asynccontextmanager
    async def transaction(self, project_id: UUID | None) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees the rows of one project; without a project, those of no tenant table.

        Commits at the end of the block, rolls back on any error. Never hold one across a model call.
        """
        connection = await self._begin(project_id)
        try:
            yield connection
            await connection.commit()
        finally:
            await connection.close()

    @asynccontextmanager
    async def snapshot(self, project_id: UUID) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads, and sees one state of a project's rows, whatever others do meanwhile."""
        connection = await self._begin(project_id, first=_SNAPSHOT)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def installation_transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees what belongs to the installation, such as admin keys, and no tenant's rows."""
        async with self.transaction(None) as connection:
            driver = await driver_connection(connection)
            await driver.execute(_SET_ONE, (INSTALLATION, "on"))
            yield connection

    async def _begin(self, project_id: UUID | None, first: LiteralString | None = None) -> AsyncConnection:
        try:
            return await self._begin_once(project_id, first)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            # A pooled connection had died while idle; nothing was sent on it, so another may try.
            return await self._begin_once(project_id, first)

    async def _begin_once(self, project_id: UUID | None, first: LiteralString | None) -> AsyncConnection:
        connection = await self._engine.connect()
        try:
            await connection.begin()
            driver = await driver_connection(connection)
            async with driver.pipeline():
                if first is not None:
                    await driver.execute(first)
                await driver.execute(_SET_ONE, (TENANT, "" if project_id is None else str(project_id)))
        except psycopg.Error:
            await self._discard_if_dead(connection)
            await connection.close()
            raise
        return connection

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
        tenant = "" if project_id is None else str(project_id)
        settings = {TENANT: tenant, PRESENTED_KEY: presented_key or "", **(server_settings or {})}
        try:
            return await self._read_once(query, parameters, settings)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            return await self._read_once(query, parameters, settings)

    async def _read_once(
        self, query: LiteralString, parameters: Mapping[str, Any], settings: Mapping[str, str]
    ) -> list[Row]:
        async with self._engine.connect() as connection:
            driver = await driver_connection(connection)
            try:
                async with driver.pipeline(), driver.transaction():
                    for name, value in settings.items():
                        await driver.execute(_SET_ONE, (name, value))
                    cursor = driver.cursor(row_factory=dict_row)
                    await cursor.execute(query, parameters)
                return await cursor.fetchall()
            except psycopg.Error:
                await self._discard_if_dead(connection)
                raise

    async def _discard_if_dead(self, connection: AsyncConnection) -> None:
        driver = await driver_connection(connection)
        if driver.closed:
            await connection.invalidate()
            await self._engine.dispose()  # the other idle ones have most likely died with it

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


async def driver_connection(connection: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """The psycopg connection beneath, for what SQLAlchemy does not offer (pipelines, the job queue)."""
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    if not isinstance(driver, psycopg.AsyncConnection):
        raise TypeError(f"expected a psycopg connection, not {type(driver).__name__}")
    return driver
