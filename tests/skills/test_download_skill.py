"""add/knowledgebase-file with type skill, and GET download/skill: what was sent is found and comes back."""

import base64
import io
import zipfile
from uuid import uuid4

import pytest

from memcubed.http.app import BASE_PATH
from memcubed.knowledge.links import LinkService
from tests.conftest import StartService
from tests.support.api import Answer, Api, Client, Json, eventually
from tests.support.databases import query
from tests.support.settings import make_settings

SKILL = """---
name: travel-expenses
description: How travel expenses are filed after a business trip.
---
1. Collect the receipts.
2. Fill in form R7.
"""


def encoded(content: bytes | str) -> str:
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


async def new_base(client: Client) -> str:
    return str((await client.post("/create/knowledgebase", {"knowledgebase_name": "skills"}))["id"])


async def upload(client: Client, base: str, content: bytes | str, name: str = "expenses.md") -> Answer:
    file = {"name": name, "type": "skill", "content": encoded(content)}
    return await client.send("/add/knowledgebase-file", {"knowledgebase_id": base, "file": [file]})


async def completed(client: Client, file_id: str) -> Json:
    async def ended() -> Json | None:
        found = (await client.post("/get/knowledgebase-file", {"file_ids": [file_id]}))["file_detail_list"][0]
        return None if found["status"] == "PROCESSING" else found

    done: Json = await eventually(ended)
    return done


async def stored_skill(api: Api, client: Client, file_id: str) -> Json:
    """The memory that was made of a file."""
    ((memory_id,),) = query(api.urls.owner, "SELECT id FROM memories WHERE conversation_id = %(id)s", id=file_id)
    answer = Answer.of(await client.http.get(f"/get/memory/{memory_id}", headers=headers(client)))
    assert answer.code == 0, answer
    return dict(answer.data)


async def uploaded(api: Api, client: Client, content: bytes | str, name: str = "expenses.md") -> Json:
    """A skill in a new knowledge base, as get/memory shows it."""
    base = await new_base(client)
    answer = await upload(client, base, content, name)
    assert answer.code == 0, answer
    assert (await completed(client, answer.data[0]["id"]))["status"] == "COMPLETED"
    return await stored_skill(api, client, answer.data[0]["id"])


def headers(client: Client) -> dict[str, str]:
    return {"Authorization": f"Token {client.key}"}


async def test_an_uploaded_skill_is_a_memory_and_can_be_downloaded(api: Api, client: Client) -> None:
    skill = await uploaded(api, client, SKILL)
    assert skill["skill_value"]["name"] == "travel-expenses"
    assert skill["skill_value"]["description"] == "How travel expenses are filed after a business trip."
    assert skill["skill_value"]["procedure"] == "1. Collect the receipts.\n2. Fill in form R7."
    assert skill["skill_type"] == "uploaded"
    url = skill["skill_url"]
    assert url.startswith(str(client.http.base_url).split("/api/")[0] + BASE_PATH + "/download/skill/")
    response = await client.http.get(url, headers=headers(client))
    assert response.status_code == 200
    assert response.content == SKILL.encode()
    assert response.headers["content-type"] == "text/markdown; charset=utf-8"
    assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''expenses.md"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_zip_comes_back_as_it_was_sent(api: Api, client: Client) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("SKILL.md", SKILL)
        archive.writestr("scripts/sum.py", "print(1)")
    skill = await uploaded(api, client, buffer.getvalue(), "报销 skill.zip")
    assert skill["skill_value"]["script"] == {"scripts/sum.py": "print(1)"}
    response = await client.http.get(skill["skill_url"], headers=headers(client))
    assert response.content == buffer.getvalue()
    assert response.headers["content-type"] == "application/zip"
    assert "%E6%8A%A5%E9%94%80%20skill.zip" in response.headers["content-disposition"]


@pytest.mark.parametrize(
    ("content", "name", "status", "code"),
    [
        ("no front matter", "a.md", 400, 50107),
        (SKILL, "a.pdf", 400, 40007),
        (b"PK\x03\x04broken", "a.zip", 400, 50107),
        (SKILL + "x" * 100_000, "a.md", 413, 50104),
    ],
)
async def test_what_is_no_skill_is_refused_at_once(
    client: Client, content: bytes | str, name: str, status: int, code: int
) -> None:
    base = await new_base(client)
    answer = await upload(client, base, content, name)
    assert (answer.status, answer.code) == (status, code)


async def test_without_a_key_or_with_anothers_nothing_is_downloaded(api: Api, client: Client) -> None:
    skill = await uploaded(api, client, SKILL)
    other = await api.client()
    assert (await client.http.get(skill["skill_url"])).status_code == 401
    foreign = Answer.of(await client.http.get(skill["skill_url"], headers=headers(other)))
    unknown = str(uuid4())
    absent = Answer.of(await client.http.get(f"/download/skill/{unknown}", headers=headers(other)))
    assert (foreign.status, foreign.code) == (404, 40001)
    # An id of another project's answers exactly as one that nobody has.
    own_id = skill["skill_url"].rpartition("/")[2]
    assert foreign.message.replace(own_id, "X") == absent.message.replace(unknown, "X")
    for odd in ("not-an-id", "0", "%00", "..%2f..%2fetc"):
        assert (await client.http.get(f"/download/skill/{odd}", headers=headers(client))).status_code == 404


async def test_a_document_is_no_skill(client: Client) -> None:
    base = await new_base(client)
    file = {"name": "a.md", "content": encoded("# About expenses\n\nThey are paid on Fridays.")}
    (added,) = await client.post("/add/knowledgebase-file", {"knowledgebase_id": base, "file": [file]})
    await completed(client, added["id"])
    assert (await client.http.get(f"/download/skill/{added['id']}", headers=headers(client))).status_code == 404


async def test_a_deleted_skill_is_gone(api: Api, client: Client) -> None:
    base = await new_base(client)
    answer = await upload(client, base, SKILL)
    await completed(client, answer.data[0]["id"])
    skill = await stored_skill(api, client, answer.data[0]["id"])
    await client.post("/delete/knowledgebase-file", {"file_ids": [answer.data[0]["id"]]})
    assert (await client.http.get(skill["skill_url"], headers=headers(client))).status_code == 404


async def test_the_address_of_the_service_can_be_set(start: StartService) -> None:
    async with start(make_settings(public_url="https://memory.example.com/")) as api:
        client = await api.client()
        skill = await uploaded(api, client, SKILL)
        assert skill["skill_url"].startswith(f"https://memory.example.com{BASE_PATH}/download/skill/")


async def test_a_host_that_is_none_is_not_repeated(api: Api, client: Client) -> None:
    path = (await uploaded(api, client, SKILL))["skill_url"].partition(BASE_PATH)[2]
    body = {"user_id": "u", "query": "x"}
    for host in ("evil<script>", "a b", ""):
        assert (await client.send("/search/memory", body, Host=host)).status in {200, 400}
    ((memory_id,),) = query(api.urls.owner, "SELECT id FROM memories WHERE details->>'url' LIKE %(u)s", u=f"%{path}")
    answer = await client.http.get(f"/get/memory/{memory_id}", headers={**headers(client), "Host": "evil<script>"})
    assert answer.json()["data"]["skill_url"] == f"{BASE_PATH}{path}"


async def found_skills(client: Client, base: str, *, include_skill: bool = False) -> list[Json]:
    found = await client.search("file travel expenses", knowledgebase_ids=[base], include_skill=include_skill)
    return list(found["skill_detail_list"])


async def test_a_search_finds_skills_only_when_asked_for(client: Client) -> None:
    base = await new_base(client)
    answer = await upload(client, base, SKILL)
    await completed(client, answer.data[0]["id"])
    assert await found_skills(client, base) == []
    assert [one["skill_value"]["name"] for one in await found_skills(client, base, include_skill=True)] == [
        "travel-expenses"
    ]


async def test_a_linked_knowledge_bases_skill_can_be_downloaded_until_the_link_ends(api: Api) -> None:
    names = [f"owner {uuid4()}", f"reader {uuid4()}"]
    client, reader = [await api.client(name) for name in names]
    owner, borrower = [await api.service.projects.get_project(name) for name in names]
    links = LinkService(api.service.database)
    base = await new_base(client)
    answer = await upload(client, base, SKILL)
    await completed(client, answer.data[0]["id"])
    url = f"/download/skill/{answer.data[0]['id']}"
    assert (await reader.http.get(url, headers=headers(reader))).status_code == 404
    await links.link(owner, base, borrower)
    (skill,) = await found_skills(reader, base, include_skill=True)
    assert skill["skill_url"].endswith(url)
    assert (await reader.http.get(url, headers=headers(reader))).content == SKILL.encode()
    await links.unlink(owner, base, borrower)
    assert (await reader.http.get(url, headers=headers(reader))).status_code == 404
