"""get/memory: pages of a user's or an agent's memories, and GET get/memory/{memory_id}: one of them."""

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memcubed.memories.model import MemoryKind, MemoryStatus, MemoryView
from memcubed.memories.rewriting import Rewrite
from memcubed.store.cubes import CubeKind
from tests.conftest import StartService
from tests.support.api import Answer, Api, Client, Json
from tests.support.sample_memories import new_memory, project_of, settle

LISTS = {
    MemoryView.DETAIL_FACTUAL: "memory_detail_list",
    MemoryView.PREFERENCE: "preference_detail_list",
    MemoryView.TOOL_MEMORY: "tool_memory_detail_list",
    MemoryView.SKILL: "skill_detail_list",
    MemoryView.EVENT: "event_detail_list",
    MemoryView.PROFILE: "profile_detail_list",
}


async def listed(client: Client, *, user: str | None = "u", **more: object) -> Json:
    owner = {} if user is None else {"user_id": user}
    data: Json = await client.post("/get/memory", {**owner, **more})
    return data


async def values(client: Client, **more: Any) -> list[str]:  # noqa: ANN401 - passed on
    return [memory["memory_value"] for memory in (await listed(client, **more))["memory_detail_list"]]


async def get(client: Client, memory_id: str, **parameters: str) -> Answer:
    headers = {"Authorization": f"Token {client.key}"}
    return Answer.of(await client.http.get(f"/get/memory/{memory_id}", params=parameters, headers=headers))


async def add_and_finish(client: Client, *said: str, **more: Any) -> None:  # noqa: ANN401 - passed on
    await client.finished((await client.add(*said, **more))["task_id"])


async def one_of_each(api: Api, client: Client, **owner: Any) -> None:  # noqa: ANN401 - passed on
    await settle(api, client, *[new_memory(f"A memory: {kind}", kind) for kind in MemoryKind], **owner)


async def test_what_was_said_is_listed_with_its_sources(client: Client) -> None:
    await add_and_finish(client, "I keep bees behind the barn.", info={"scene": "chat"}, conversation_id="c")
    data = await listed(client)
    assert (data["total"], data["size"], data["current"], data["pages"]) == (1, 10, 1, 1)
    (fact,) = data["memory_detail_list"]
    assert fact["memory_type"] == "LongTermMemory"
    assert fact["status"] == "activated"
    assert fact["conversation_id"] == "c"
    assert fact["info"] == {"scene": "chat"}
    assert [source["content"] for source in fact["sources"]] == ["I keep bees behind the barn."]
    assert not {"relativity", "history"} & set(fact)


async def test_every_kind_comes_in_its_own_list(api: Api, client: Client) -> None:
    await one_of_each(api, client)
    data = await listed(client)
    found = {view: len(data[name]) for view, name in LISTS.items()}
    assert found == {**dict.fromkeys(MemoryView, 1), MemoryView.PREFERENCE: 2, MemoryView.TOOL_MEMORY: 2}
    assert (data["total"], data["pages"]) == (2, 1)
    assert data["preference_note"].startswith("Of these preferences")


@pytest.mark.parametrize(
    ("asked", "views"),
    [
        ({"include_preference": False}, set(MemoryView) - {MemoryView.PREFERENCE}),
        ({"include_tool_memory": False}, set(MemoryView) - {MemoryView.TOOL_MEMORY}),
        ({"include_memory_view": ["event", "preference"]}, {MemoryView.EVENT, MemoryView.PREFERENCE}),
        ({"include_memory_view": ["preference"], "include_preference": False}, {MemoryView.PREFERENCE}),
        ({"include_memory_view": []}, set()),
        ({"include_memory_view": None, "include_preference": None, "filter": None}, set(MemoryView)),
    ],
    ids=lambda value: None if isinstance(value, set) else str(value),
)
async def test_only_the_kinds_asked_for(api: Api, client: Client, asked: Json, views: set[MemoryView]) -> None:
    await one_of_each(api, client)
    data = await listed(client, **asked)
    assert {view for view, name in LISTS.items() if data[name]} == views


async def test_raw_turns_are_listed_until_they_are_read(start: StartService) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        await client.add("I keep bees behind the barn.")
        (raw,) = (await listed(client))["memory_detail_list"]
        assert (raw["memory_type"], raw["tags"]) == ("WorkingMemory", ["mode:fast"])


async def test_raw_turns_give_way_in_every_listing(client: Client) -> None:
    await add_and_finish(client, "I keep bees behind the barn.")
    (fact,) = (await listed(client))["memory_detail_list"]
    assert fact["memory_type"] == "LongTermMemory"
    assert (await listed(client, status="archived"))["total"] == 0


async def test_the_newest_come_first(api: Api, client: Client) -> None:
    for number in range(3):
        await settle(api, client, new_memory(f"Fact {number}, first"), new_memory(f"Fact {number}, second"))
    said = [f"Fact {number}, {which}" for number in (2, 1, 0) for which in ("second", "first")]
    assert await values(client) == said


async def test_pages_follow_one_another(api: Api, client: Client) -> None:
    await settle(api, client, *[new_memory(f"Fact {number}") for number in range(25)])
    await settle(api, client, new_memory("Tea", MemoryKind.EXPLICIT_PREFERENCE))
    pages = [await listed(client, page=page, size=10) for page in (1, 2, 3, 4)]
    assert [len(page["memory_detail_list"]) for page in pages] == [10, 10, 5, 0]
    assert [len(page["preference_detail_list"]) for page in pages] == [1, 0, 0, 0]
    assert [(page["total"], page["pages"], page["size"]) for page in pages] == [(25, 3, 10)] * 4
    assert [page["current"] for page in pages] == [1, 2, 3, 4]


async def test_a_change_moves_nothing_to_another_page(api: Api, client: Client) -> None:
    await settle(api, client, *[new_memory(f"Fact {number}") for number in range(4)])
    oldest = (await listed(client))["memory_detail_list"][-1]
    await client.post("/update/memory", {"memory_id": oldest["id"], "content": "Changed"})
    assert await values(client) == ["Fact 3", "Fact 2", "Fact 1", "Changed"]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(
        st.lists(st.sampled_from([MemoryKind.FACT, MemoryKind.IMPLICIT_PREFERENCE, MemoryKind.EVENT]), max_size=5),
        max_size=4,
    ),
    size=st.integers(1, 6),
)
async def test_the_pages_hold_every_memory_once(
    api: Api, client: Client, batches: list[list[MemoryKind]], size: int
) -> None:
    user = uuid4().hex
    for batch in batches:
        if batch:
            await settle(api, client, *[new_memory(uuid4().hex, kind) for kind in batch], owner=user)
    first = await listed(client, user=user, size=size)
    pages = [await listed(client, user=user, size=size, page=page) for page in range(1, first["pages"] + 2)]
    stored = Counter(kind.view for batch in batches for kind in batch)
    for view, name in LISTS.items():
        ids = [memory["id"] for page in pages for memory in page[name]]
        assert len(ids) == len(set(ids)) == stored[view]
        assert all(len(page[name]) <= size for page in pages)
    assert {page["total"] for page in pages} == {max(stored.values(), default=0)}


async def test_only_what_meets_the_filter_is_listed_and_counted(client: Client) -> None:
    await add_and_finish(client, "I keep bees behind the barn.", info={"scene": "farm", "year": 3})
    await add_and_finish(client, "I keep goats in the barn.", info={"scene": "farm", "year": 5}, agent_id="a")
    await add_and_finish(client, "I work in Harbin.", info={"scene": "work"})
    farm = await listed(client, filter={"and": [{"scene": "farm"}, {"year": {"gte": 3}}]}, size=1)
    assert (farm["total"], farm["pages"], len(farm["memory_detail_list"])) == (2, 2, 1)
    assert (await listed(client, filter={"user": {"agent_id": "a"}}))["total"] == 1
    assert (await listed(client, filter={"agent": {"scene": "work"}}))["total"] == 3
    assert (await listed(client, filter={"create_time": {"lt": "2020-01-01"}}))["total"] == 0
    assert (await listed(client, filter={}))["total"] == 3
    answer = await client.send("/get/memory", {"user_id": "u", "filter": {"year": {"over": 3}}})
    assert (answer.status, answer.code) == (400, 40000)
    assert "filter.year.over" in answer.message


async def test_each_source_has_a_filter_of_its_own(api: Api, client: Client) -> None:
    for owner, kind in (("u", CubeKind.USER), ("a", CubeKind.AGENT)):
        for conversation in ("x", "y"):
            memory = new_memory(f"{owner} {conversation}")
            await settle(api, client, memory, owner=owner, kind=kind, conversation_id=conversation)
    asked = {"user": {"conversation_id": "x"}, "agent": {"conversation_id": "y"}}
    assert await values(client, agent_id="a", filter=asked) == ["a y", "u x"]


async def test_agents_have_memories_of_their_own(api: Api, client: Client) -> None:
    await settle(api, client, new_memory("The agent's"), owner="a", kind=CubeKind.AGENT)
    await settle(api, client, new_memory("The user's"))
    assert await values(client, user=None, agent_id="a") == ["The agent's"]
    assert await values(client) == ["The user's"]
    assert await values(client, agent_id="a") == ["The user's", "The agent's"]


async def test_nobody_sees_what_is_not_theirs(api: Api, client: Client) -> None:
    await settle(api, client, new_memory("Mine"))
    assert await values(client, user="v") == []
    assert await values(client, user=None, agent_id="u") == []
    assert await values(await api.client()) == []


@pytest.mark.parametrize(
    ("asked", "code", "names"),
    [
        ({"user_id": None}, 40002, "user_id"),
        ({"user_id": ""}, 40002, "user_id"),
        ({"user_id": ["u"]}, 40000, "user_id"),
        ({"user_id": "u" * 101}, 40010, "user_id"),
        ({"agent_id": 7}, 40000, "agent_id"),
        ({"page": 0}, 40000, "page"),
        ({"page": 10**30}, 40000, "page"),
        ({"page": "1"}, 40000, "page"),
        ({"size": 0}, 40000, "size"),
        ({"size": 51}, 40000, "size"),
        ({"size": 1.5}, 40000, "size"),
        ({"include_preference": "yes"}, 40000, "include_preference"),
        ({"include_memory_view": ["dreams"]}, 40006, "include_memory_view[0]"),
        ({"include_memory_view": "event"}, 40000, "include_memory_view"),
        ({"status": "merged"}, 40000, "status"),
    ],
    ids=str,
)
async def test_a_bad_request_is_told_what_is_wrong(client: Client, asked: Json, code: int, names: str) -> None:
    answer = await client.send("/get/memory", {"user_id": "u", **asked})
    assert (answer.status, answer.code) == (400, code)
    assert names in answer.message


async def test_the_largest_page_may_be_asked_for(client: Client) -> None:
    assert (await listed(client, page=1_000_000, size=50))["pages"] == 0


async def test_one_memory_in_its_kinds_shape(api: Api, client: Client) -> None:
    await one_of_each(api, client)
    data = await listed(client)
    for name in LISTS.values():
        for memory in data[name]:
            assert (await get(client, memory["id"])).data == memory


async def test_one_memory_of_an_agent_or_everyone(api: Api, client: Client) -> None:
    await settle(api, client, new_memory("The agent's"), owner="a", kind=CubeKind.AGENT)
    (memory,) = (await listed(client, user=None, agent_id="a"))["memory_detail_list"]
    assert (await get(client, memory["id"])).data["memory_value"] == "The agent's"


async def test_a_memory_that_is_not_there_is_not_told_from_one_of_another_project(api: Api, client: Client) -> None:
    await settle(api, client, new_memory("Mine"))
    (mine,) = (await listed(client))["memory_detail_list"]
    stranger = await api.client()
    unknown = str(uuid4())
    for asked in (mine["id"], unknown, "x", "{" + mine["id"] + "}", mine["id"].replace("-", "")):
        answer = await get(stranger, asked)
        assert (answer.status, answer.code, answer.message) == (404, 40001, f"There is no memory {asked}.")
    assert (await get(client, mine["id"].replace("-", ""))).status == 404
    assert (await get(client, mine["id"].upper())).data == mine


async def test_one_memory_needs_a_key(client: Client) -> None:
    answer = Answer.of(await client.http.get(f"/get/memory/{uuid4()}"))
    assert (answer.status, answer.code) == (401, 40130)


async def test_history_comes_when_asked_for(api: Api, client: Client) -> None:
    await settle(api, client, new_memory("The ceiling is 800 yuan."))
    (memory,) = (await listed(client))["memory_detail_list"]
    await client.post("/update/memory", {"memory_id": memory["id"], "content": "The ceiling is 600 yuan."})
    project = project_of(api, client)
    successor = uuid4()
    async with api.service.database.transaction(project) as connection:
        (stored,) = await api.service.memories.list_by_id(connection, project, [UUID(memory["id"])])
        change = Rewrite(status=MemoryStatus.ARCHIVED, superseded_by=successor)
        await api.service.memories.rewrite(connection, stored, change, project_id=project, reason="superseded")
    found = (await get(client, memory["id"], history="true")).data
    assert found["status"] == "archived"
    history = found["history"]
    assert [(one["version"], one["value"], one["reason"]) for one in history] == [
        (1, "The ceiling is 800 yuan.", "created"),
        (2, "The ceiling is 600 yuan.", "updated"),
        (3, "The ceiling is 600 yuan.", "superseded"),
    ]
    assert [one.get("superseded_by") for one in history] == [None, None, str(successor)]
    assert history[0]["create_time"] == memory["create_time"] < history[1]["create_time"]
    assert (history[2]["key"], history[2]["reasoning"]) == (memory["memory_key"], "")
    assert "history" not in (await get(client, memory["id"])).data
    assert [one["id"] for one in (await listed(client, status="archived"))["memory_detail_list"]] == [memory["id"]]


async def test_history_is_yes_or_no(client: Client) -> None:
    answer = await get(client, str(uuid4()), history="perhaps")
    assert (answer.status, answer.code) == (400, 40000)
    assert "history" in answer.message
