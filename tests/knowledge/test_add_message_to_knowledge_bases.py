"""add/message with allow_knowledgebase_ids: the memories are made in the project's own bases as well."""

from uuid import uuid4

import pytest

from memcubed.knowledge.links import LinkService
from tests.conftest import StartService
from tests.knowledge.files import new_base
from tests.support.api import Api, Client, eventually
from tests.support.databases import query
from tests.support.settings import make_settings

FACT = "Our office software vendor is Acme Ltd."


async def facts(client: Client, *bases: str, user: str = "nobody") -> list[str]:
    data = await client.search("office software vendor", user=user, knowledgebase_ids=list(bases))
    return [memory["memory_value"] for memory in data["memory_detail_list"]]


async def test_memories_are_made_in_the_bases_as_well(client: Client) -> None:
    base, other = await new_base(client), await new_base(client)
    task = await client.add(FACT, allow_knowledgebase_ids=[base])
    assert (await client.finished(task["task_id"]))["status"] == "completed"
    assert any("Acme" in fact for fact in await facts(client, base))
    assert any("Acme" in fact for fact in await facts(client, user="u"))
    assert await facts(client, other) == []
    assert await facts(client) == []


async def test_every_base_of_the_project(client: Client) -> None:
    first, second = await new_base(client), await new_base(client)
    task = await client.add(FACT, allow_knowledgebase_ids=["all"])
    await client.finished(task["task_id"])
    assert any("Acme" in fact for fact in await facts(client, first))
    assert any("Acme" in fact for fact in await facts(client, second))


async def test_a_repeat_is_the_same_request(client: Client) -> None:
    base = await new_base(client)
    body = {"user_id": "u", "messages": [{"role": "user", "content": FACT}], "allow_knowledgebase_ids": [base]}
    first = await client.post("/add/message", body, Idempotency_Key="k")
    await client.post("/delete/knowledgebase", {"knowledgebase_id": base})
    assert (await client.post("/add/message", body, Idempotency_Key="k"))["task_id"] == first["task_id"]


@pytest.mark.parametrize("ids", [["nothing"], [str(uuid4())]])
async def test_unknown_bases(client: Client, ids: list[str]) -> None:
    body = {"user_id": "u", "messages": [{"role": "user", "content": FACT}], "allow_knowledgebase_ids": ids}
    answer = await client.send("/add/message", body)
    assert (answer.status, answer.code) == (404, 50120)
    assert await client.messages() == []


async def test_bases_of_other_projects(api: Api) -> None:
    owner, reader = await api.client("owner of rules"), await api.client("reader of rules")
    base = await new_base(owner)
    body = {"user_id": "u", "messages": [{"role": "user", "content": FACT}], "allow_knowledgebase_ids": [base]}
    assert (await reader.send("/add/message", body)).code == 50120
    projects = api.service.projects
    await LinkService(api.service.database).link(
        await projects.get_project("owner of rules"), base, await projects.get_project("reader of rules")
    )
    answer = await reader.send("/add/message", body)
    assert (answer.status, answer.code) == (403, 50123)
    assert await facts(owner, base) == []
    assert await reader.messages() == []


async def test_a_deleted_base_stays_deleted(start: StartService) -> None:
    async with start(make_settings(), worker=False) as api:
        client = await api.client()
        base = await new_base(client)
        task = await client.add(FACT, allow_knowledgebase_ids=[base])
        await client.post("/delete/knowledgebase", {"knowledgebase_id": base})
        async with start(make_settings(), urls=api.urls):
            assert (await client.finished(task["task_id"]))["status"] == "completed"

            async def no_jobs() -> bool:
                waiting = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'production.run_share'"
                return query(api.urls.owner, waiting) == [(0,)]

            await eventually(no_jobs)
        left = "SELECT count(*) FROM memories m JOIN cubes c ON c.id = m.cube_id WHERE c.kind = 'knowledgebase'"
        assert query(api.urls.owner, left) == [(0,)]
