"""How often a request waits for the database: a statement more is a decision, and not to be made unseen."""

from collections.abc import AsyncIterator

import pytest

from memcubed.bootstrap import DatabaseUrls
from tests.conftest import StartService
from tests.support.api import Api, Client, eventually
from tests.support.wire import Wire, relayed

_TIMES_UNTIL_PREPARED = 8


@pytest.fixture
async def wire_and_api(database: DatabaseUrls, start: StartService) -> AsyncIterator[tuple[Wire, Api]]:
    async with relayed(database) as (urls, wire), start(urls=urls, worker=False) as api:
        yield wire, api


async def add(client: Client, number: int) -> None:
    await client.add("I like tea.", "Good.", "I moved to Oslo.", "Nice.", user="u", conversation_id=f"c{number}")


async def test_an_add_takes_four_round_trips_with_the_check_of_the_key(wire_and_api: tuple[Wire, Api]) -> None:
    wire, api = wire_and_api
    client = await api.client()
    for number in range(_TIMES_UNTIL_PREPARED):
        await add(client, number)
    wire.clear()
    await add(client, _TIMES_UNTIL_PREPARED)
    assert [len(trip) for trip in wire.trips] == [2, 3, 1, 6], wire.trips
    key, task, cube, rest = wire.trips
    assert "api_keys" in key[1]
    assert [task[0], "INSERT INTO tasks" in task[2]] == ["BEGIN", True]
    assert "INSERT INTO cubes" in cube[0]
    for table, statement in zip(("messages", "memories", "memory_sources", "task_shares"), rest, strict=False):
        assert f"INSERT INTO {table} " in statement
    assert [("procrastinate_defer_jobs" in rest[4]), rest[5]] == [True, "COMMIT"]


async def test_an_owner_who_is_new_takes_no_more(wire_and_api: tuple[Wire, Api]) -> None:
    wire, api = wire_and_api
    client = await api.client()
    for number in range(_TIMES_UNTIL_PREPARED):
        await add(client, number)
    wire.clear()
    await client.add("I like tea.", user="new")
    assert len(wire.trips) == 4, wire.trips


async def test_a_search_waits_twice_and_notes_what_it_found_afterwards(wire_and_api: tuple[Wire, Api]) -> None:
    wire, api = wire_and_api
    client = await api.client()
    await add(client, 0)
    for _ in range(_TIMES_UNTIL_PREPARED):
        await client.search("what tea do I like?")
        await api.service.recalled.drain()
    wire.clear()
    await client.search("what tea do I like?")
    await eventually(lambda: _holds(wire, "DELETE FROM recalled_memories"))
    assert [len(trip) for trip in wire.trips] == [2, 2, 5], wire.trips
    assert "WITH large AS" in wire.trips[1][1]


async def test_reading_messages_waits_twice(wire_and_api: tuple[Wire, Api]) -> None:
    wire, api = wire_and_api
    client = await api.client()
    for number in range(_TIMES_UNTIL_PREPARED):
        await add(client, number)
        await client.messages("c0")
    wire.clear()
    await client.messages("c0")
    assert [len(trip) for trip in wire.trips] == [2, 2], wire.trips


async def _holds(wire: Wire, words: str) -> bool:
    return bool(wire.of(words))
