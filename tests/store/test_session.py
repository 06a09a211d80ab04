import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from memcubed.bootstrap import DatabaseUrls
from memcubed.store.session import UNAVAILABLE_ERRORS, Database
from tests.support.databases import query

TENANT = "SELECT current_setting('memcubed.project_id', true)"


@pytest.fixture
async def sessions(database: DatabaseUrls) -> AsyncIterator[Database]:
    opened = Database(database.service, pool_size=2)
    yield opened
    await opened.close()


def end_connections(database: DatabaseUrls) -> None:
    query(
        database.owner,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


async def test_the_tenant_is_set_for_one_transaction(sessions: Database) -> None:
    project = uuid4()
    async with sessions.transaction(project) as connection:
        assert (await connection.execute(text(TENANT))).scalar_one() == str(project)
    async with sessions.transaction(None) as connection:
        assert (await connection.execute(text(TENANT))).scalar_one() == ""
    assert await sessions.read(f"{TENANT} AS tenant", {}, project_id=project) == [{"tenant": str(project)}]
    assert await sessions.read(f"{TENANT} AS tenant", {}) == [{"tenant": ""}]


async def test_an_error_rolls_back(sessions: Database, database: DatabaseUrls) -> None:
    insert = text("INSERT INTO projects (id, name, timezone) VALUES (gen_random_uuid(), 'x', 'UTC')")

    async def fail() -> None:
        async with sessions.transaction(None) as connection:
            await connection.execute(insert)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert query(database.owner, "SELECT * FROM projects") == []


async def test_connections_that_died_while_idle_are_replaced_unnoticed(
    sessions: Database, database: DatabaseUrls
) -> None:
    async def write() -> None:
        async with sessions.transaction(None) as connection:
            await connection.execute(text("SELECT 1"))

    async def read() -> None:
        await sessions.read("SELECT pg_sleep(0.01)", {})

    for use in (read, write, read, write):
        await asyncio.gather(read(), read(), read(), read())
        end_connections(database)
        await use()
        await asyncio.gather(read(), write(), read(), write())


async def test_a_connection_that_dies_at_work_is_told_as_unavailable(
    sessions: Database, database: DatabaseUrls
) -> None:
    async def work() -> None:
        async with sessions.transaction(None) as connection:
            end_connections(database)
            await connection.execute(text("SELECT 1"))

    with pytest.raises(UNAVAILABLE_ERRORS):
        await work()


async def test_more_readers_than_connections_wait_their_turn(sessions: Database) -> None:
    rows = await asyncio.gather(*[sessions.read("SELECT pg_sleep(0.01), 1 AS one", {}) for _ in range(40)])
    assert all(row[0]["one"] == 1 for row in rows)


async def test_a_reader_that_gives_up_leaves_a_usable_pool(sessions: Database) -> None:
    for _ in range(8):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await sessions.read("SELECT pg_sleep(30)", {})
    assert await sessions.read("SELECT 1 AS one", {}) == [{"one": 1}]


async def test_errors_do_not_show_parameters(sessions: Database) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with sessions.transaction(None) as connection:
            await connection.execute(text("SELECT :said / 0"), {"said": 987654321})
    assert "987654321" not in str(caught.value)


async def test_a_failed_read_leaves_the_connection_usable(sessions: Database) -> None:
    for _ in range(6):
        with pytest.raises(psycopg.errors.DivisionByZero):
            await sessions.read("SELECT 1 / 0", {})
    assert await sessions.read("SELECT 1 AS one", {}) == [{"one": 1}]
