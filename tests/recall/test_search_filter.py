"""search/memory with `filter`: over HTTP, from the messages that carried what is filtered on."""

from typing import Any

import pytest

from tests.conftest import StartService
from tests.support.api import Api, Client, Json
from tests.support.settings import make_settings

QUERY = "Which city did I visit?"


async def remembered(client: Client, said: str, **more: Any) -> None:  # noqa: ANN401 - passed on
    done = await client.finished((await client.add(said, **more))["task_id"])
    assert done["status"] == "completed"


@pytest.fixture(scope="module")
async def told(api: Api) -> Client:
    """A user with a memory of four cities, each from a request of its own."""
    client = await api.client()
    await remembered(
        client, "I visited the city of Paris.", conversation_id="c1", agent_id="guide", app_id="web", tags=["Paris"],
        info={"scene": "chat", "stars": 3, "labels": ["art", "food"]},
    )  # fmt: skip
    await remembered(
        client, "I visited the city of Rome.", conversation_id="c2", agent_id="guide", app_id="phone",
        info={"scene": "trip", "stars": 4.5, "labels": ["food"]},
    )  # fmt: skip
    await remembered(
        client, "I visited the city of Oslo.", conversation_id="c2", info={"scene": "chat room", "stars": "4"}
    )
    await remembered(client, "I visited the city of Lima.", user=["u", "bob"], agent_id=["critic"])
    return client


def cities(found: Json) -> set[str]:
    said = [memory["memory_value"] for memory in found["memory_detail_list"]]
    return {city for city in ("Paris", "Rome", "Oslo", "Lima", "Cairo") for value in said if city in value}


ALL = {"Paris", "Rome", "Oslo", "Lima"}


@pytest.mark.parametrize(
    ("asked_for", "found"),
    [
        ({}, ALL),
        ({"agent_id": "guide"}, {"Paris", "Rome"}),
        ({"app_id": ["web", "fax"]}, {"Paris"}),
        ({"conversation_id": "c2"}, {"Rome", "Oslo"}),
        ({"related_id": ["bob"]}, {"Lima"}),
        ({"related_id": ["critic", "nobody"]}, {"Lima"}),
        ({"tags": {"contains": "Paris"}}, {"Paris"}),
        ({"source_role": "user"}, ALL),
        ({"source_role": ["tool", "document"]}, set()),
        ({"scene": "chat"}, {"Paris"}),
        ({"scene": ["chat", "trip"]}, {"Paris", "Rome"}),
        ({"scene": {"contains": "chat"}}, {"Paris", "Oslo"}),
        ({"labels": "food"}, {"Paris", "Rome"}),
        ({"labels": {"contains": "art"}}, {"Paris"}),
        ({"stars": {"gte": 3, "lt": 4.5}}, {"Paris"}),
        ({"stars": 4.50}, {"Rome"}),
        ({"stars": "4"}, {"Oslo"}),
        ({"create_time": {"gt": "2020-01-01"}}, ALL),
        ({"update_time": {"lt": "昨天"}}, set()),
        ({"or": [{"scene": "trip"}, {"and": [{"agent_id": "guide"}, {"app_id": "web"}]}]}, {"Paris", "Rome"}),
        ({"and": [{"labels": "food"}, {"or": [{"stars": 3}, {"stars": 5}]}]}, {"Paris"}),
        ({"agent_id": "guide", "stars": {"gt": 4}}, {"Rome"}),
        ({"user": {"scene": "trip"}, "public": {"scene": "chat"}}, {"Rome"}),
        ({"agent": {"scene": "nowhere"}}, ALL),
        ({"scene": "' OR true --"}, set()),
        ({"' = '' OR true --": "x"}, set()),
    ],
)
async def test_a_filter_leaves(told: Client, asked_for: Json, found: set[str]) -> None:
    assert cities(await told.search(QUERY, filter=asked_for)) == found


async def test_the_time_that_an_answer_gives_can_be_filtered_on(told: Client) -> None:
    for memory in (await told.search(QUERY))["memory_detail_list"]:
        for name in ("create_time", "update_time"):
            at = memory[name]
            found = (await told.search(QUERY, filter={name: {"gte": at, "lte": at}}))["memory_detail_list"]
            assert memory["id"] in {one["id"] for one in found}
            later = (await told.search(QUERY, filter={name: {"gt": at}}))["memory_detail_list"]
            assert memory["id"] not in {one["id"] for one in later}


@pytest.mark.parametrize(
    "asked_for",
    [
        {"agent_id": "guide"},
        {"labels": "food"},
        {"or": [{"stars": {"lt": 4}}, {"related_id": "bob"}]},
        {"app_id": "fax"},
    ],
)
async def test_get_memory_and_search_memory_leave_the_same(told: Client, asked_for: Json) -> None:
    found = (await told.search(QUERY, filter=asked_for, memory_limit_number=25))["memory_detail_list"]
    listed = await told.post("/get/memory", {"user_id": "u", "filter": asked_for, "size": 50})
    assert {memory["id"] for memory in found} == {memory["id"] for memory in listed["memory_detail_list"]}


async def test_preferences_are_filtered_too(api: Api) -> None:
    client = await api.client()
    await remembered(client, "I like green tea.", info={"scene": "kitchen"})
    await remembered(client, "I like black coffee.", info={"scene": "office"})
    found = await client.search("What do I like to drink?", filter={"scene": "office"})
    assert ["coffee" in one["preference"] for one in found["preference_detail_list"]] == [True]


async def test_each_source_has_its_own_filter(api: Api) -> None:
    client = await api.client()
    await remembered(client, "I visited the city of Paris.", info={"scene": "mine"})
    await remembered(client, "I visited the city of Rome.", user="bob", allow_public=True, info={"scene": "ours"})
    await remembered(client, "I visited the city of Oslo.", user=None, agent_id="guide", info={"scene": "its"})

    async def search(asked_for: Json) -> set[str]:
        return cities(await client.search(QUERY, agent_id="guide", filter=asked_for))

    assert await search({}) == {"Paris", "Rome", "Oslo"}
    assert await search({"scene": "ours"}) == {"Rome"}
    assert await search({"public": {"scene": "mine"}}) == {"Paris", "Oslo"}
    assert await search({"user": {"scene": "ours"}, "agent": {"scene": "its"}}) == {"Rome", "Oslo"}
    assert await search({"user": {"scene": "mine"}, "agent": {"scene": "x"}, "public": {"scene": "x"}}) == {"Paris"}
    assert await search({"knowledgebase": {"scene": "x"}}) == {"Paris", "Rome", "Oslo"}


async def test_nothing_that_is_left_out_comes_along_with_a_neighbour(start: StartService) -> None:
    """Raw turns of one conversation, more of them than a limit holds, every third left out."""
    async with start(make_settings(), worker=False) as running:
        client = await running.client()
        for number in range(75):
            await client.add(
                f"On day {number} I visited a city on my long tour.", conversation_id="tour",
                info={"scene": "kept" if number % 3 else "left out"},
            )  # fmt: skip
        asked: Json = {"memory_limit_number": 25, "include_preference": False}
        found = (await client.search("city tour", filter={"scene": "kept"}, **asked))["memory_detail_list"]
        kept = [f"On day {number} " for number in range(75) if number % 3]
        left_out = [f"On day {number} " for number in range(75) if not number % 3]
        assert len(found) == 25
        assert any("folded_ids" in memory for memory in found)
        said = "\n".join([memory["memory_value"] for memory in found])
        said += "\n".join(source["content"] for memory in found for source in memory["sources"])
        assert sum(day in said for day in kept) > 25
        assert not [day for day in left_out if day in said]


async def test_a_filter_applies_before_recall(start: StartService) -> None:
    """What is asked for is found although more than recall ever looks at would come before it."""
    async with start(make_settings(), worker=False) as running:
        client = await running.client()
        await client.add("The weather was bad that day", info={"scene": "far"})
        nearer = [text for number in range(150) for text in (f"The city of Paris, number {number}", "I see")]
        await client.add(*nearer, info={"scene": "near"})
        assert not any("weather" in value for value in await client.values("The city of Paris", memory_limit_number=25))
        only = await client.values("The city of Paris", filter={"scene": "far"})
        assert ["weather" in value for value in only] == [True]


@pytest.mark.parametrize(
    ("asked_for", "code", "named"),
    [
        ("scene", 40000, "filter"),
        ([{"scene": "chat"}], 40000, "filter"),
        ({"and": {"scene": "chat"}}, 40000, "filter.and"),
        ({"scene": {"like": "c%"}}, 40000, "filter.scene.like"),
        ({"user": {}, "usr": {}}, 40000, "filter.usr"),
        ({"tags": "x"}, 40000, "filter.tags"),
        ({"create_time": {"gte": "whenever"}}, 40000, "filter.create_time.gte"),
        ({"source_role": "root"}, 40000, "filter.source_role"),
        ({"or": []}, 40003, "filter.or"),
        ({"or": [{"scene": None}]}, 40003, "filter.or[0]"),
    ],
)
async def test_what_the_language_has_not(client: Client, asked_for: Any, code: int, named: str) -> None:  # noqa: ANN401 - JSON
    answer = await client.send("/search/memory", {"query": "x", "user_id": "u", "filter": asked_for})
    assert (answer.status, answer.code) == (400, code)
    assert answer.message.startswith(named), answer.message


@pytest.mark.parametrize("nothing", [None, {}, {"scene": None}, {"user": {}}, {"user": None}])
async def test_an_empty_filter_leaves_nothing_out(told: Client, nothing: Any) -> None:  # noqa: ANN401 - JSON
    assert cities(await told.search(QUERY, filter=nothing)) == ALL
