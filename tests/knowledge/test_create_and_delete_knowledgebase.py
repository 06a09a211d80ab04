"""create/knowledgebase and delete/knowledgebase."""

from uuid import UUID, uuid4

import pytest

from tests.knowledge.files import add, add_text, details, encoded, new_base
from tests.support.api import Api, Client
from tests.support.databases import query


async def test_a_new_base_has_an_id(client: Client) -> None:
    first, second = await new_base(client), await new_base(client)
    assert UUID(first) != UUID(second)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 40002),
        ({"knowledgebase_name": None}, 40002),
        ({"knowledgebase_name": " "}, 40002),
        ({"knowledgebase_name": "x" * 201}, 40000),
        ({"knowledgebase_name": 7}, 40000),
        ({"knowledgebase_name": "x", "knowledgebase_description": "y" * 2001}, 40000),
    ],
)
async def test_a_name_is_required(client: Client, body: object, code: int) -> None:
    answer = await client.send("/create/knowledgebase", body)
    assert answer.code == code
    assert "knowledgebase_" in answer.message


async def test_everything_of_a_base_goes_with_it(api: Api, client: Client) -> None:
    base = await new_base(client)
    file = await add_text(client, base, "The limit for office software is 800 yuan.")
    (row,) = query(api.urls.owner, "SELECT cube_id FROM knowledge_files WHERE id = %(id)s", id=file)
    assert await client.post("/delete/knowledgebase", {"knowledgebase_id": base}) == {"success": True}
    for table in ("knowledge_bases", "knowledge_files", "knowledge_file_parts", "memories", "memory_vectors"):
        left = query(api.urls.owner, f"SELECT count(*) FROM {table} WHERE cube_id = %(cube)s", cube=row[0])
        assert left == [(0,)], table
    assert await details(client, file) == []
    answer = await client.send("/add/knowledgebase-file", {"knowledgebase_id": base, "file": [{"content": "aGk="}]})
    assert (answer.status, answer.code) == (404, 50120)


@pytest.mark.parametrize("base", ["nothing", str(uuid4())])
async def test_a_base_that_does_not_exist(client: Client, base: str) -> None:
    answer = await client.send("/delete/knowledgebase", {"knowledgebase_id": base})
    assert (answer.status, answer.code) == (404, 50120)


async def test_another_projects_base_does_not_exist(api: Api, client: Client) -> None:
    base = await new_base(client)
    file = await add_text(client, base, "The limit is 800 yuan.")
    other = await api.client()
    unknown = str(uuid4())
    for path, body in (
        ("/delete/knowledgebase", {"knowledgebase_id": base}),
        ("/add/knowledgebase-file", {"knowledgebase_id": base, "file": [{"content": encoded("x")}]}),
        ("/get/knowledgebase-file", {"knowledgebase_id": base}),
    ):
        answer = await other.send(path, body)
        same = await other.send(path, {**body, "knowledgebase_id": unknown})
        assert (answer.status, answer.code) == (404, 50120)
        assert answer.message.replace(base, unknown) == same.message
    assert await details(other, file) == []
    answer = await other.send("/delete/knowledgebase-file", {"file_ids": [file]})
    assert (answer.status, answer.code) == (404, 40001)
    assert len(await details(client, file)) == 1


async def test_a_deletion_is_not_undone_by_a_file_that_is_being_read(api: Api, client: Client) -> None:
    base = await new_base(client)
    files = [{"name": f"{number}.txt", "content": encoded(f"Rule {number}.")} for number in range(5)]
    added = await add(client, base, *files)
    assert await client.post("/delete/knowledgebase", {"knowledgebase_id": base}) == {"success": True}
    # Another base's file is read after those, by the same worker.
    await add_text(client, await new_base(client), "Another rule.")
    (row,) = query(api.urls.owner, "SELECT count(*) FROM knowledge_files WHERE id = %(id)s", id=added[0]["id"])
    assert row == (0,)
    left = query(
        api.urls.owner,
        "SELECT count(*) FROM memories WHERE conversation_id = ANY(%(ids)s)",
        ids=[f["id"] for f in added],
    )
    assert left == [(0,)]
