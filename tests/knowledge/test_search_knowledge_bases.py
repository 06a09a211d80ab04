"""search/memory with knowledgebase_ids: own bases, linked ones, and nothing else of who owns those."""

from uuid import UUID, uuid4

import pytest

from memcubed.knowledge.links import LinkService
from memcubed.projects.model import Project
from tests.knowledge.files import add_text, encoded, form, new_base, read
from tests.support.api import Api, Client, Json
from tests.support.databases import query
from tests.support.documents import pdf

RULE = "Office software may cost 800 yuan a year."


async def found(client: Client, *bases: str, user: str | None = "u", **more: object) -> list[Json]:
    data = await client.search("office software yuan", user=user, knowledgebase_ids=list(bases), **more)
    listed: list[Json] = data["memory_detail_list"]
    return listed


async def texts(client: Client, *bases: str, user: str | None = "u", **more: object) -> list[str]:
    return [memory["memory_value"] for memory in await found(client, *bases, user=user, **more)]


async def link(api: Api, base: str, owner: Client, reader: Client) -> None:
    await LinkService(api.service.database).link(await project_of(api, owner), base, await project_of(api, reader))


async def unlink(api: Api, base: str, owner: Client, reader: Client) -> None:
    await LinkService(api.service.database).unlink(await project_of(api, owner), base, await project_of(api, reader))


async def project_of(api: Api, client: Client) -> Project:
    (row,) = query(
        api.urls.owner,
        "SELECT p.name FROM projects p JOIN api_keys k ON k.project_id = p.id WHERE k.prefix = %(prefix)s",
        prefix=client.key[:11],
    )
    return await api.service.projects.get_project(row[0])


async def test_a_base_is_searched_only_when_it_is_asked_for(client: Client) -> None:
    base, other = await new_base(client), await new_base(client)
    await add_text(client, base, RULE)
    await add_text(client, other, "Office plants may cost 90 yuan a year.")
    assert await texts(client, base) == [RULE]
    assert await texts(client) == []
    assert await client.values("office software yuan") == []
    everything = await texts(client, "all")
    assert len(everything) == 2
    assert set(await texts(client, base, other)) == set(everything)
    assert (await client.search("office", knowledgebase_ids=None))["memory_detail_list"] == []


async def test_together_with_the_users_memories(client: Client) -> None:
    base = await new_base(client)
    await add_text(client, base, RULE)
    task = await client.add("I bought office software for 700 yuan.")
    await client.finished(task["task_id"])
    values = await texts(client, base)
    assert RULE in values
    assert any("700" in value for value in values)


async def test_results_say_where_they_stand(client: Client) -> None:
    base = await new_base(client)
    content = pdf("General remarks.", "Office software may cost 800 yuan.", bookmarks=[("Intro", 1), ("Limits", 2)])
    (file,) = (await form(client, {"knowledgebase_id": base}, ("rules.pdf", content))).data
    await read(client, file["id"])
    memory = (await found(client, base))[0]
    assert memory["memory_key"] == "rules › Limits"
    assert memory["document"] == {
        "knowledgebase_id": base,
        "file_id": file["id"],
        "file_name": "rules.pdf",
        "page": 2,
        "heading": ["Limits"],
        "piece": 2,
    }
    assert (memory["conversation_id"], memory["sources"]) == (file["id"], [])
    own = await client.add("I like tea.")
    await client.finished(own["task_id"])
    assert "document" not in (await client.search("tea"))["memory_detail_list"][0]


async def test_deleted_files_are_not_found(client: Client) -> None:
    base = await new_base(client)
    file = await add_text(client, base, RULE)
    await client.post("/delete/knowledgebase-file", {"file_ids": [file]})
    assert await texts(client, base) == []


async def test_filters_of_knowledge_bases(client: Client) -> None:
    base = await new_base(client)
    await add_text(client, base, RULE)
    assert await texts(client, base, filter={"knowledgebase": {"and": [{"create_time": {"gte": "2020-01-01"}}]}}) == [
        RULE
    ]
    assert await texts(client, base, filter={"knowledgebase": {"and": [{"create_time": {"lt": "2020-01-01"}}]}}) == []
    assert await texts(client, base, filter={"user": {"and": [{"create_time": {"lt": "2020-01-01"}}]}}) == [RULE]


@pytest.mark.parametrize("ids", [["nothing"], [str(uuid4())], ["all", str(uuid4())]])
async def test_unknown_bases(client: Client, ids: list[str]) -> None:
    answer = await client.send("/search/memory", {"user_id": "u", "query": "x", "knowledgebase_ids": ids})
    assert (answer.status, answer.code) == (404, 50120)


@pytest.mark.parametrize("ids", ["all", [7], [None], {}, ["x"] * 101])
async def test_what_is_no_list_of_bases(client: Client, ids: object) -> None:
    answer = await client.send("/search/memory", {"user_id": "u", "query": "x", "knowledgebase_ids": ids})
    assert (answer.code, "knowledgebase_ids" in answer.message) == (40000, True)


async def test_linked_bases_are_read_and_not_written(api: Api) -> None:
    owner, reader = await api.client(), await api.client()
    base = await new_base(owner)
    file = await add_text(owner, base, RULE)
    refused = await reader.send("/search/memory", {"user_id": "u", "query": "x", "knowledgebase_ids": [base]})
    assert refused.code == 50120
    await link(api, base, owner, reader)
    assert await texts(reader, base) == [RULE]
    assert await texts(reader, "all") == [RULE]
    assert await texts(reader) == []
    listed = await reader.post("/get/knowledgebase-file", {"knowledgebase_id": base})
    assert [one["id"] for one in listed["file_detail_list"]] == [file]
    for path, body in (
        ("/delete/knowledgebase", {"knowledgebase_id": base}),
        ("/add/knowledgebase-file", {"knowledgebase_id": base, "file": [{"content": encoded("x")}]}),
    ):
        answer = await reader.send(path, body)
        assert (answer.status, answer.code) == (403, 50123), path
    assert (await reader.send("/delete/knowledgebase-file", {"file_ids": [file]})).code == 40001
    await unlink(api, base, owner, reader)
    assert (
        await reader.send("/search/memory", {"user_id": "u", "query": "x", "knowledgebase_ids": [base]})
    ).code == 50120
    assert await texts(reader, "all") == []
    assert await texts(owner, base) == [RULE]


async def test_results_of_linked_bases_are_ranked_with_the_others(api: Api) -> None:
    owner, reader = await api.client(), await api.client()
    base, own = await new_base(owner), await new_base(reader)
    await add_text(owner, base, "Office software may cost 800 yuan.")
    await add_text(reader, own, "Office chairs are blue.")
    await link(api, base, owner, reader)
    everything = await found(reader, "all")
    assert [memory["document"]["knowledgebase_id"] for memory in everything] == [base, own]
    assert len(await found(reader, "all", memory_limit_number=1)) == 1


async def test_nothing_else_of_the_owner_is_seen(api: Api) -> None:
    owner, reader = await api.client(), await api.client()
    base, private = await new_base(owner), await new_base(owner)
    await add_text(owner, base, RULE)
    hidden = await add_text(owner, private, "Office software secret: 900 yuan.")
    for who in ("u", "someone"):
        task = await owner.add("My office software secret is 1000 yuan.", user=who, allow_public=True, agent_id="a")
        await owner.finished(task["task_id"])
    await link(api, base, owner, reader)
    for user, agent in (("u", None), ("someone", None), ("u", "a"), (None, "a")):
        for bases in ([base], ["all"], [base, "all"]):
            for condition in (None, {"or": [{"create_time": {"gte": "2020-01-01"}}]}):
                values = await texts(
                    reader, *bases, user=user, agent_id=agent, filter=condition, memory_limit_number=25
                )
                assert values == [RULE]
    refused = await reader.send("/search/memory", {"user_id": "u", "query": "x", "knowledgebase_ids": [base, private]})
    assert refused.code == 50120
    assert (await reader.post("/get/knowledgebase-file", {"file_ids": [hidden]}))["file_detail_list"] == []
    assert (await reader.send("/get/knowledgebase-file", {"knowledgebase_id": private})).code == 50120


async def test_a_link_goes_with_its_base(api: Api) -> None:
    owner, reader = await api.client(), await api.client()
    base = await new_base(owner)
    await link(api, base, owner, reader)
    await link(api, base, owner, reader)
    count = "SELECT count(*) FROM knowledge_links WHERE knowledge_base_id = %(id)s"
    assert query(api.urls.owner, count, id=UUID(base)) == [(1,)]
    await owner.post("/delete/knowledgebase", {"knowledgebase_id": base})
    assert query(api.urls.owner, count, id=UUID(base)) == [(0,)]
