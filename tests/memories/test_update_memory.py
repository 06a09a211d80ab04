"""update/memory: an owner changes what a memory says, or whether it is recalled."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from memcubed.memories.model import MemoryKind
from memcubed.providers.embeddings.scripted import HashEmbedder
from tests.conftest import StartService
from tests.support.api import Answer, Api, Client, Json, eventually
from tests.support.databases import query
from tests.support.held_llm import HeldModel
from tests.support.sample_memories import new_memory, settle
from tests.support.settings import llm_settings, make_settings


async def stored(api: Api, client: Client, value: str = "The user lives in Kunming.", **more: Any) -> Json:  # noqa: ANN401 - passed on
    await settle(api, client, new_memory(value, **more))
    return await only(client)


async def only(client: Client, **more: object) -> Json:
    """The one memory that there is."""
    data = await client.post("/get/memory", {"user_id": "u", **more})
    (memory,) = [memory for name in data if name.endswith("_detail_list") for memory in data[name]]
    found: Json = memory
    return found


async def update(client: Client, memory: Json, **change: object) -> Answer:
    return await client.send("/update/memory", {"memory_id": memory["id"], **change})


async def history(client: Client, memory: Json) -> list[tuple[str, str]]:
    headers = {"Authorization": f"Token {client.key}"}
    found = Answer.of(await client.http.get(f"/get/memory/{memory['id']}?history=true", headers=headers)).data
    return [(version["value"], version["reason"]) for version in found["history"]]


async def test_new_content_is_found_and_the_old_is_kept(api: Api, client: Client) -> None:
    memory = await stored(api, client)
    answer = await update(client, memory, content="The user lives in Harbin.")
    assert answer.data == {"success": True}
    assert await client.values("Harbin") == ["The user lives in Harbin."]
    after = await only(client)
    assert after["memory_value"] == "The user lives in Harbin."
    assert after["memory_key"] == memory["memory_key"]
    assert after["create_time"] == memory["create_time"] < after["update_time"]
    assert await history(client, memory) == [
        ("The user lives in Kunming.", "created"),
        ("The user lives in Harbin.", "updated"),
    ]


async def test_the_vector_is_made_before_the_answer(start: StartService) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        memory = await stored(api, client)
        await update(client, memory, content="The user lives in Harbin.")
        assert query(api.urls.owner, "SELECT count(*) FROM memory_vectors") == [(1,)]
        assert query(api.urls.owner, "SELECT count(*) FROM procrastinate_jobs WHERE task_name LIKE '%%embed_cube'") == [
            (0,)
        ]


async def test_a_new_title(api: Api, client: Client) -> None:
    memory = await stored(api, client)
    assert (await update(client, memory, title="Domicile", content=None, status=None)).code == 0
    after = await only(client)
    assert (after["memory_key"], after["memory_value"]) == ("Domicile", memory["memory_value"])
    assert (await client.search("domicile"))["memory_detail_list"][0]["id"] == memory["id"]


async def test_archived_memories_are_not_recalled_until_they_are_activated(api: Api, client: Client) -> None:
    memory = await stored(api, client)
    await update(client, memory, status="archived")
    assert await client.values("Kunming") == []
    assert (await client.post("/get/memory", {"user_id": "u"}))["total"] == 0
    assert (await only(client, status="archived"))["status"] == "archived"
    await update(client, memory, status="activated")
    assert await client.values("Kunming") == [memory["memory_value"]]
    reasons = [reason for _, reason in await history(client, memory)]
    assert reasons == ["created", "archived", "activated"]


async def test_what_changes_nothing_leaves_no_trace(api: Api, client: Client) -> None:
    memory = await stored(api, client)
    answer = await update(client, memory, content=memory["memory_value"], status="activated")
    assert answer.data == {"success": True}
    assert await only(client) == memory
    assert len(await history(client, memory)) == 1


async def test_a_time_in_the_content_is_when_it_happens(api: Api, client: Client) -> None:
    memory = await stored(api, client, "The flight leaves in spring.")
    assert "memory_time" not in memory
    await update(client, memory, content="The flight leaves on 2025-06-12.")
    assert (await only(client))["memory_time"] == 1749686400000
    await update(client, memory, content="The flight to Harbin leaves from gate 3.")
    assert (await only(client))["memory_time"] == 1749686400000


@pytest.mark.parametrize("kind", [MemoryKind.EVENT, MemoryKind.IMPLICIT_PREFERENCE, MemoryKind.TOOL_TRAJECTORY])
async def test_other_kinds_are_changed_alike(api: Api, client: Client, kind: MemoryKind) -> None:
    memory = await stored(api, client, kind=kind)
    assert (await update(client, memory, content="Something else")).code == 0
    after = await only(client)
    changed = {name for name in memory if memory[name] != after[name]}
    assert len(changed - {"update_time"}) == 1
    assert "Something else" in after.values()


@pytest.mark.parametrize(
    ("kind", "way"), [(MemoryKind.SKILL, "upload the skill anew"), (MemoryKind.PROFILE, "edit/profile")]
)
async def test_text_that_is_kept_elsewhere_is_not_changed_here(
    api: Api, client: Client, kind: MemoryKind, way: str
) -> None:
    memory = await stored(api, client, kind=kind)
    for change in ({"content": "Something else"}, {"title": "Other"}):
        answer = await update(client, memory, **change)
        assert (answer.status, answer.code) == (400, 40000)
        assert way in answer.message
    assert await only(client) == memory
    assert (await update(client, memory, status="archived")).code == 0


async def test_while_embeddings_are_down_it_succeeds_and_the_vector_follows(start: StartService) -> None:
    embedder = HashEmbedder()
    async with start(embedder=embedder) as api:
        client = await api.client()
        memory = await stored(api, client)
        embedder.fail()
        assert (await update(client, memory, content="The user lives in Harbin.")).data == {"success": True}
        assert await client.values("Harbin") == ["The user lives in Harbin."]
        embedder.recover()

        async def has_its_vector() -> bool:
            return query(api.urls.owner, "SELECT count(*) FROM memory_vectors") == [(1,)]

        await eventually(has_its_vector)


async def test_changes_at_the_same_time_are_all_kept(api: Api, client: Client) -> None:
    memory = await stored(api, client)
    changes: list[Json] = [{"title": "Domicile"}, {"content": "The user lives in Harbin."}, {"status": "archived"}]
    answers = await asyncio.gather(*[update(client, memory, **change) for change in changes])
    assert [answer.code for answer in answers] == [0, 0, 0]
    after = await only(client, status="archived")
    assert (after["memory_key"], after["memory_value"]) == ("Domicile", "The user lives in Harbin.")
    assert len(await history(client, memory)) == 4


async def test_a_raw_turn_that_is_changed_stays_when_it_has_been_read(start: StartService) -> None:
    with HeldModel() as model:
        async with start(llm_settings(model)) as api:
            client = await api.client()
            task = await client.add("I live in Kunming.")
            await model.asked()
            raw = await only(client)
            assert raw["memory_type"] == "WorkingMemory"
            await update(client, raw, content="I live in Harbin.")
            after = await only(client)
            assert (after["memory_type"], after["tags"]) == ("LongTermMemory", [])
            model.release()
            await client.finished(task["task_id"])
            assert "I live in Harbin." in await client.values("Where do I live?")


async def test_a_memory_that_is_not_there_is_not_told_from_one_of_another_project(api: Api, client: Client) -> None:
    memory = await stored(api, client)
    stranger = await api.client()
    for asked in (memory["id"], str(uuid4()), "x", "x" * 100, memory["id"].replace("-", "")):
        answer = await update(stranger, {"id": asked}, content="Theirs")
        assert (answer.status, answer.code) == (404, 40307)
        assert answer.message == f"There is no memory with the memory_id {asked}."
    assert await only(client) == memory


@pytest.mark.parametrize(
    ("change", "status", "code", "names"),
    [
        ({}, 400, 40002, "content, title and status"),
        ({"content": None, "title": None, "status": None}, 400, 40002, "content, title and status"),
        ({"memory_id": None, "content": "x"}, 400, 40002, "memory_id"),
        ({"memory_id": " ", "content": "x"}, 400, 40002, "memory_id"),
        ({"memory_id": 7, "content": "x"}, 400, 40000, "memory_id"),
        ({"content": " "}, 400, 40002, "content"),
        ({"content": ["x"]}, 400, 40000, "content"),
        ({"title": ""}, 400, 40002, "title"),
        ({"title": "x" * 201}, 400, 40000, "title"),
        ({"status": "deleted"}, 400, 40000, "status"),
        ({"status": 1}, 400, 40000, "status"),
        ({"content": "a\x00b"}, 400, 40000, "content"),
    ],
    ids=str,
)
async def test_a_bad_request_is_told_what_is_wrong(
    client: Client, change: Json, status: int, code: int, names: str
) -> None:
    answer = await client.send("/update/memory", {"memory_id": str(uuid4()), **change})
    assert (answer.status, answer.code) == (status, code)
    assert names in answer.message


async def test_content_has_a_limit(start: StartService) -> None:
    async with start(make_settings(memory_max_tokens=10), worker=False) as api:
        client = await api.client()
        memory = await stored(api, client)
        answer = await update(client, memory, content="word " * 11)
        assert (answer.status, answer.code) == (413, 40305)
        assert answer.message.startswith("content has about ")
        assert (await update(client, memory, content="word " * 5)).code == 0
