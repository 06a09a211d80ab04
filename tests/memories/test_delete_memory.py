"""delete/memory: memories, or everything of a user or an agent, for good."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from memcubed.memories.deletion import DeletionRepository
from memcubed.memories.model import MemoryKind, SourceRole
from memcubed.memories.types import MEMORY_TYPES
from memcubed.store.cubes import Cube, CubeKind, public_cube
from tests.conftest import StartService
from tests.support.api import Answer, Api, Client, Json, eventually
from tests.support.databases import query
from tests.support.held_llm import HeldModel
from tests.support.sample_memories import new_memory, project_of, settle
from tests.support.settings import llm_settings

TABLES_OF_CUBES = """
    SELECT table_name FROM information_schema.columns
    WHERE table_schema = 'public' AND column_name = 'cube_id' ORDER BY 1
"""


async def delete(client: Client, **body: object) -> Answer:
    return await client.send("/delete/memory", body)


async def deleted(client: Client, **body: object) -> None:
    answer = await delete(client, **body)
    assert (answer.code, answer.data) == (0, {"success": True}), answer


async def listed(client: Client, *, user: str | None = "u", **more: object) -> list[Json]:
    owner = {} if user is None else {"user_id": user}
    data = await client.post("/get/memory", {**owner, "size": 50, **more})
    return [memory for name in data if name.endswith("_detail_list") for memory in data[name]]


async def remember(client: Client, *said: str | Json, **more: Any) -> str:  # noqa: ANN401 - passed on
    """Add a conversation and wait until it has been read; the task's id."""
    task = await client.add(*said, **more)
    assert (await client.finished(task["task_id"]))["status"] == "completed"
    return str(task["task_id"])


def rows(api: Api, cube_id: UUID) -> dict[str, int]:
    """How many rows of a cube each table has; tables with none are left out."""
    tables = [name for (name,) in query(api.urls.owner, TABLES_OF_CUBES)]
    counts = {
        name: query(api.urls.owner, f"SELECT count(*) FROM {name} WHERE cube_id = %(cube)s", cube=cube_id)[0][0]
        for name in tables
    }
    counts["cubes"] = query(api.urls.owner, "SELECT count(*) FROM cubes WHERE id = %(cube)s", cube=cube_id)[0][0]
    counts["jobs"] = query(
        api.urls.owner,
        "SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'cube_id' = %(cube)s::text",
        cube=cube_id,
    )[0][0]
    return {name: count for name, count in counts.items() if count}


def tasks(api: Api, client: Client) -> list[tuple[Any, ...]]:
    statement = "SELECT id::text, finished_at IS NULL, running_body_hash FROM tasks WHERE project_id = %(project)s"
    return query(api.urls.owner, statement, project=project_of(api, client))


def cube_of(api: Api, client: Client, owner: str = "u", kind: CubeKind = CubeKind.USER) -> UUID:
    return Cube(project_of(api, client), kind, owner).id


# by id


async def test_deleted_memories_are_gone_with_all_their_parts(api: Api, client: Client) -> None:
    await remember(client, "I keep bees behind the barn.")
    await remember(client, "I live in Harbin.")
    (other, bees) = await listed(client, include_preference=False)
    await client.post("/update/memory", {"memory_id": bees["id"], "content": "The user keeps goats."})
    await deleted(client, memory_ids=[bees["id"], bees["id"]])
    assert [memory["id"] for memory in await listed(client, include_preference=False)] == [other["id"]]
    assert await client.values("goats bees") == [other["memory_value"]]
    for table in ("memory_vectors", "memory_sources", "memory_versions"):
        gone = query(api.urls.owner, f"SELECT FROM {table} WHERE memory_id = %(id)s", id=bees["id"])
        assert gone == [], table
    assert [one["content"] for one in await client.messages()] == ["I keep bees behind the barn.", "I live in Harbin."]


async def test_all_of_the_memories_or_none(api: Api, client: Client) -> None:
    await settle(api, client, new_memory("Mine"), new_memory("Mine too"))
    mine = await listed(client)
    for wrong in (str(uuid4()), "x", ""):
        answer = await delete(client, memory_ids=[mine[0]["id"], wrong, mine[1]["id"], "y"])
        assert (answer.status, answer.code) == (404, 40307)
        assert answer.message == f"memory_ids[1]: there is no memory with the id {wrong}."
    assert await listed(client) == mine


async def test_a_memory_that_is_not_there_is_not_told_from_one_of_another_project(api: Api, client: Client) -> None:
    await settle(api, client, new_memory("Mine"))
    (mine,) = await listed(client)
    stranger = await api.client()
    for asked in (mine["id"], str(uuid4()), "x"):
        answer = await delete(stranger, memory_ids=[asked])
        assert (answer.status, answer.code) == (404, 40307)
        assert answer.message == f"memory_ids[0]: there is no memory with the id {asked}."
    assert await listed(client) == [mine]


async def test_memories_of_any_cube_by_id(api: Api, client: Client) -> None:
    await settle(api, client, new_memory("The agent's"), owner="a", kind=CubeKind.AGENT)
    await settle(api, client, new_memory("Everyone's"), owner="", kind=CubeKind.PUBLIC)
    ids = query(api.urls.owner, "SELECT id::text FROM memories WHERE project_id = %(p)s", p=project_of(api, client))
    await deleted(client, memory_ids=[id_ for (id_,) in ids])
    assert await listed(client, user=None, agent_id="a") == []
    assert await client.values("everyone") == []


async def test_pieces_of_documents_are_deleted_with_their_file(api: Api, client: Client) -> None:
    piece = replace(new_memory("The ceiling is 800 yuan."), source_role=SourceRole.DOCUMENT)
    cube_id = await settle(api, client, piece, owner="kb", kind=CubeKind.KNOWLEDGE_BASE)
    ((id_,),) = query(api.urls.owner, "SELECT id::text FROM memories WHERE cube_id = %(cube)s", cube=cube_id)
    answer = await delete(client, memory_ids=[id_])
    assert (answer.status, answer.code) == (403, 40306)
    assert "memory_ids[0]" in answer.message
    await deleted(client, filter={"create_time": {"gte": "2020-01-01"}})
    assert rows(api, cube_id)["memories"] == 1


# by user and agent


async def test_nothing_of_a_deleted_user_is_left(api: Api, client: Client) -> None:
    task = await remember(client, "I keep bees behind the barn.", "How nice!", "From now on, please be brief.")
    await remember(client, "I live in Harbin.", user="v")
    (memory, *_) = await listed(client)
    await client.post("/update/memory", {"memory_id": memory["id"], "content": "The user keeps goats."})
    assert rows(api, cube_of(api, client)).keys() >= {
        *("cubes", "memories", "memory_sources", "memory_vectors", "memory_versions", "messages", "task_shares"),
    }
    await deleted(client, user_id="u")
    assert rows(api, cube_of(api, client)) == {}
    assert await listed(client) == await client.messages() == []
    assert (await client.send("/get/status", {"task_id": task})).code == 50131
    assert len(await listed(client, user="v")) == 1
    assert len(tasks(api, client)) == 1


async def test_who_is_not_there_can_not_be_deleted(api: Api, client: Client) -> None:
    await remember(client, "I keep bees behind the barn.")
    stranger = await api.client()
    for body in ({"user_id": "u"}, {"agent_id": "u"}, {"user_id": "u", "memory_type": "preference"}):
        answer = await delete(stranger, **body)
        (name,) = {"user_id", "agent_id"} & set(body)
        assert (answer.status, answer.code) == (404, 40308)
        assert answer.message == f"There is no {name} u in this project."
    await deleted(client, user_id="u")
    assert (await delete(client, user_id="u")).code == 40308


async def test_what_only_they_said_leaves_the_public_memory(api: Api, client: Client) -> None:
    await remember(client, "The office closes at six.", allow_public=True)
    await remember(client, "I keep bees behind the barn.", user="v", allow_public=True)
    assert len(await client.values("office bees", user="w")) == 2
    await deleted(client, user_id="u")
    (left,) = await client.values("office bees", user="w")
    assert "bees" in left
    await deleted(client, user_id="v")
    assert set(rows(api, public_cube(project_of(api, client)).id)) == {"cubes"}


async def test_what_others_said_as_well_stays_in_the_public_memory(api: Api, client: Client) -> None:
    await remember(client, "The office closes at six.", allow_public=True)
    public = public_cube(project_of(api, client)).id
    await remember(client, "The office closes at six.", user="v", allow_public=True)
    said_too = """
        INSERT INTO memory_sources (cube_id, memory_id, message_id, project_id)
        SELECT m.cube_id, m.id, g.id, m.project_id FROM memories m JOIN messages g ON g.cube_id = m.cube_id
        WHERE m.cube_id = %(cube)s AND m.layer <> 'WorkingMemory' AND g.task_id <> m.task_id
        ON CONFLICT DO NOTHING RETURNING 1
    """
    assert query(api.urls.owner, said_too, cube=public)
    await deleted(client, user_id="u")
    found = (await client.search("office", user="w"))["memory_detail_list"]
    assert found
    assert {len(memory["sources"]) for memory in found} == {1}
    await deleted(client, user_id="v")
    assert set(rows(api, public)) == {"cubes"}


async def test_a_conversation_of_several_stays_the_others(api: Api, client: Client) -> None:
    said = {"role": "user", "content": "I keep bees behind the barn.", "role_name": "u"}
    task = await remember(client, said, user=None, user_id=["u", "v"], agent_id="a", allow_public=True)
    await deleted(client, user_id="u")
    assert len(await listed(client, user="v")) == len(await listed(client, user=None, agent_id="a")) == 1
    assert (await client.status(task))["status"] == "completed"
    assert await client.values("bees", user="w") != []
    await deleted(client, user_id="v")
    assert await listed(client, user=None, agent_id="a") == []
    assert await client.values("bees", user="w") == []
    assert tasks(api, client) == []


async def test_an_agent_is_deleted_without_its_users(api: Api, client: Client) -> None:
    await remember(client, "I keep bees behind the barn.", user=None, user_id=["u"], agent_id=["a"])
    await remember(client, "Answer in Chinese.", user=None, agent_id="a", allow_public=True)
    await deleted(client, agent_id="a")
    assert rows(api, cube_of(api, client, "a", CubeKind.AGENT)) == {}
    assert len(await listed(client)) == 1
    assert len(tasks(api, client)) == 1
    assert await client.values("Chinese", user="w") == []


async def test_waiting_jobs_are_deleted_too(start: StartService) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        await client.add("I keep bees behind the barn.", allow_public=True)
        await client.add("I live in Harbin.", user="v")
        await deleted(client, user_id="u")
        left = query(api.urls.owner, "SELECT args ->> 'cube_id' FROM procrastinate_jobs WHERE task_name LIKE '%%share'")
        assert left == [(str(cube_of(api, client, "v")),)]


async def test_a_task_ends_when_the_last_running_share_is_deleted(start: StartService) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        said = "I keep bees behind the barn."
        task = await client.add(said, user=None, user_id=["u", "v"])
        share = "UPDATE task_shares SET status = 'completed', finished_at = now() WHERE cube_id = %(cube)s RETURNING 1"
        query(api.urls.owner, share, cube=cube_of(api, client, "v"))
        await deleted(client, user_id="u")
        assert tasks(api, client) == [(task["task_id"], False, None)]
        assert (await client.add(said, user=None, user_id=["u", "v"]))["task_id"] != task["task_id"]


# while something runs


async def test_a_running_extraction_brings_nothing_back(start: StartService) -> None:
    with HeldModel() as model:
        async with start(llm_settings(model)) as api:
            client = await api.client()
            await client.add("I keep bees behind the barn.", allow_public=True)
            await model.asked(2)
            await deleted(client, user_id="u")
            model.release()
            await _no_job_is_left(api)
            assert rows(api, cube_of(api, client)) == {}
            assert set(rows(api, public_cube(project_of(api, client)).id)) == {"cubes"}


async def test_a_running_extraction_brings_nothing_back_to_a_user_of_the_same_name(start: StartService) -> None:
    with HeldModel() as model:
        async with start(llm_settings(model)) as api:
            client = await api.client()
            await client.add("I keep bees behind the barn.")
            await model.asked()
            await deleted(client, user_id="u")
            task = await client.add("I live in Harbin.")
            assert (await listed(client))[0]["memory_value"] == "user: I live in Harbin."
            model.release()
            await client.finished(task["task_id"])
            await _no_job_is_left(api)
            assert [memory["memory_value"] for memory in await listed(client)] == ['The user said: "I live in Harbin."']
            assert [message["content"] for message in await client.messages()] == ["I live in Harbin."]


async def test_messages_that_come_during_a_deletion_are_kept(start: StartService) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        await client.add("I keep bees behind the barn.")
        project = project_of(api, client)
        async with api.service.database.transaction(project) as connection:
            assert await DeletionRepository(connection, project).delete_owner(Cube(project, CubeKind.USER, "u"))
            adding = asyncio.create_task(client.add("I live in Harbin."))
            await asyncio.wait({adding}, timeout=0.3)  # it waits for this transaction, or has not begun
        await adding
        assert [message["content"] for message in await client.messages()] == ["I live in Harbin."]


async def test_deletions_and_everything_else_at_the_same_time(api: Api, client: Client) -> None:
    async def use(number: int) -> None:
        for turn in range(4):
            users = ["u", "v"] if turn % 2 else ["u"]
            body = {"messages": [{"role": "user", "content": f"I own {number}{turn} boats."}], "allow_public": True}
            answer = await client.send("/add/message", {**body, "user_id": users, "async_mode": turn % 2 == 0})
            assert answer.code in {0, 50131}, answer
            for memory in (await listed(client))[:2]:
                changed = {"memory_id": memory["id"], "content": f"The user sold {number}{turn} boats."}
                assert (await client.send("/update/memory", changed)).code in {0, 40307}
                assert (await delete(client, memory_ids=[memory["id"]])).code in {0, 40307}

    async def clean() -> None:
        for turn in range(8):
            assert (await delete(client, user_id="v" if turn % 3 == 2 else "u")).code in {0, 40308}
            await asyncio.sleep(0.05)

    await asyncio.gather(clean(), *[use(number) for number in range(4)])
    for user in ("u", "v"):
        assert (await delete(client, user_id=user)).code in {0, 40308}
        assert rows(api, cube_of(api, client, user)).keys() <= {"jobs"}
    assert tasks(api, client) == []
    assert await client.values("boats", user="w") == []


async def _no_job_is_left(api: Api) -> None:
    async def none_is_left() -> bool:
        return query(api.urls.owner, "SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing')") == []

    await eventually(none_is_left)


# by filter and type


async def test_what_meets_a_filter_is_deleted_in_the_whole_project(api: Api, client: Client) -> None:
    for user in ("u", "v"):
        await remember(client, "I keep bees behind the barn.", user=user, info={"scene": "farm"}, allow_public=True)
        await remember(client, "I live in Harbin.", user=user, info={"scene": "home"}, allow_public=True)
    stranger = await api.client()
    await remember(stranger, "I keep bees behind the barn.", info={"scene": "farm"})
    await deleted(client, filter={"scene": "farm"})
    for user in ("u", "v"):
        assert [memory["info"] for memory in await listed(client, user=user)] == [{"scene": "home"}]
        assert len(await client.messages(user=user)) == 2
    assert not any("bees" in value for value in await client.values("bees", user="w"))
    assert len(await listed(stranger)) == 1
    await deleted(client, filter={"scene": "nowhere"})
    assert len(await listed(client)) == 1


async def test_a_source_that_a_filter_does_not_name_loses_nothing(client: Client) -> None:
    await remember(client, "I keep bees behind the barn.", info={"scene": "farm"}, allow_public=True)
    await deleted(client, filter={"public": {"scene": "farm"}})
    assert len(await listed(client)) == 1
    assert await client.values("bees", user="w") == []
    await deleted(client, filter={"agent": {"scene": "farm"}})
    assert len(await listed(client)) == 1


async def test_archived_memories_meet_filters_too(api: Api, client: Client) -> None:
    await settle(api, client, new_memory("Old"), conversation_id="x")
    (memory,) = await listed(client)
    await client.post("/update/memory", {"memory_id": memory["id"], "status": "archived"})
    await deleted(client, filter={"conversation_id": "x"})
    assert await listed(client, status="archived") == []


@pytest.mark.parametrize("name", MEMORY_TYPES)
async def test_only_memories_of_a_type(api: Api, client: Client, name: str) -> None:
    await settle(api, client, *[new_memory(f"A memory: {kind}", kind) for kind in MemoryKind])
    before = {kind for (kind,) in _kinds(api, client)}
    await deleted(client, user_id="u", memory_type=name)
    gone = before - {kind for (kind,) in _kinds(api, client)}
    of_type = MEMORY_TYPES[name]
    expected = of_type.kinds if name not in {"WorkingMemory", "UserMemory"} else frozenset()
    assert gone == expected
    assert len(_kinds(api, client)) == len(MemoryKind) - len(expected)


def _kinds(api: Api, client: Client) -> list[tuple[Any, ...]]:
    return query(api.urls.owner, "SELECT kind FROM memories WHERE project_id = %(p)s", p=project_of(api, client))


async def test_raw_turns_are_a_type(start: StartService) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        await settle(api, client, new_memory("A fact"))
        await client.add("I keep bees behind the barn.")
        await deleted(client, filter={"create_time": {"gt": "2020-01-01"}}, memory_type="WorkingMemory")
        assert [memory["memory_value"] for memory in await listed(client)] == ["A fact"]


async def test_ids_have_to_be_of_the_type(api: Api, client: Client) -> None:
    await settle(api, client, new_memory("A fact"), new_memory("Tea", MemoryKind.EXPLICIT_PREFERENCE))
    fact, preference = await listed(client)
    answer = await delete(client, memory_ids=[preference["id"], fact["id"]], memory_type="preference")
    assert (answer.status, answer.code) == (404, 40307)
    assert answer.message == f"memory_ids[1]: there is no memory of this memory_type with the id {fact['id']}."
    await deleted(client, memory_ids=[preference["id"]], memory_type="explicit_preference")
    assert await listed(client) == [fact]


# what is refused


@pytest.mark.parametrize(
    ("body", "code", "names"),
    [
        ({}, 40002, "memory_ids, user_id, agent_id, filter"),
        ({"memory_type": "event"}, 40002, "memory_ids, user_id, agent_id, filter"),
        ({"user_id": None, "memory_ids": None}, 40002, "memory_ids, user_id, agent_id, filter"),
        ({"user_id": "u", "agent_id": "a"}, 40000, "user_id and agent_id"),
        ({"user_id": "u", "memory_ids": ["x"]}, 40000, "memory_ids and user_id"),
        ({"user_id": "u", "filter": {"scene": "x"}}, 40000, "user_id and filter"),
        ({"memory_ids": []}, 40003, "memory_ids"),
        ({"memory_ids": "x"}, 40000, "memory_ids"),
        ({"memory_ids": [7]}, 40000, "memory_ids[0]"),
        ({"memory_ids": ["x"] * 1001}, 40000, "memory_ids"),
        ({"user_id": ""}, 40002, "user_id"),
        ({"user_id": ["u"]}, 40000, "user_id"),
        ({"user_id": "u" * 101}, 40010, "user_id"),
        ({"filter": {}}, 40003, "filter"),
        ({"filter": {"scene": None}}, 40003, "filter"),
        ({"filter": {"user": {}}}, 40003, "filter"),
        ({"filter": {"and": []}}, 40003, "filter.and"),
        ({"filter": "all"}, 40000, "filter"),
        ({"filter": {"tags": "x"}}, 40000, "filter.tags"),
        ({"user_id": "u", "memory_type": "dreams"}, 40006, "memory_type"),
        ({"user_id": "u", "memory_type": ["event"]}, 40000, "memory_type"),
    ],
    ids=str,
)
async def test_a_bad_request_deletes_nothing_and_is_told_what_is_wrong(
    api: Api, client: Client, body: Json, code: int, names: str
) -> None:
    await settle(api, client, new_memory("Mine"))
    answer = await delete(client, **body)
    assert (answer.status, answer.code) == (400, code)
    assert names in answer.message
    assert len(await listed(client)) == 1
