"""add/knowledgebase-file: by base64, data URL, URL and form, within limits; get/ and delete/knowledgebase-file."""

import pytest

from tests.conftest import StartService
from tests.knowledge.files import add, add_text, details, encoded, form, new_base, read
from tests.support.api import Api, Client
from tests.support.databases import query
from tests.support.documents import doc, docx_file, pdf
from tests.support.file_server import reply, serving_files
from tests.support.settings import make_settings

RULE = "办公类软件的采购上限是800元。"


async def test_every_format_is_read(client: Client) -> None:
    base = await new_base(client)
    contents: dict[str, bytes] = {
        "a.pdf": pdf(RULE),
        "b.docx": docx_file((1, "采购"), RULE),
        "c.doc": doc(f"{RULE}\r"),
        "d.txt": RULE.encode("gb18030"),
        "e.json": f'{{"rule": "{RULE}"}}'.encode(),
        "f.md": f"# 采购\n{RULE}".encode(),
        "g.xml": f"<rules><rule>{RULE}</rule></rules>".encode(),
    }
    added = await add(client, base, *({"name": name, "content": encoded(body)} for name, body in contents.items()))
    assert [file["name"] for file in added] == list(contents)
    assert {file["status"] for file in added} == {"PROCESSING"}
    assert added[1]["sizeMB"] == round(len(contents["b.docx"]) / 1_000_000, 3) > added[3]["sizeMB"] == 0.001
    for file in added:
        done = await read(client, file["id"])
        assert (done["status"], done["memory_count"], done["reason"]) == ("COMPLETED", 1, None)
        assert done["size"] == len(contents[done["name"]])


async def test_data_urls_name_their_type(client: Client) -> None:
    (added,) = await add(client, await new_base(client), {"content": f"data:text/markdown;base64,{encoded('# A')}"})
    assert added["name"] == "file.md"
    assert (await read(client, added["id"]))["status"] == "COMPLETED"


async def test_files_of_a_form(client: Client) -> None:
    base = await new_base(client)
    answer = await form(
        client, {"knowledgebase_id": base, "type": "document"}, ("制度.txt", RULE.encode()), ("b.md", b"# B")
    )
    assert answer.code == 0, answer
    assert [file["name"] for file in answer.data] == ["制度.txt", "b.md"]
    for file in answer.data:
        assert (await read(client, file["id"]))["status"] == "COMPLETED"


async def test_large_file_of_a_form_is_kept_whole(api: Api, client: Client) -> None:
    base = await new_base(client)
    content = b"".join(b"Rule %d says what rule %d says. " % (number, number + 1) for number in range(80_000))
    assert len(content) > 2_500_000
    answer = await form(client, {"knowledgebase_id": base}, ("large.txt", content))
    (file,) = answer.data
    (row,) = query(
        api.urls.owner,
        "SELECT string_agg(content, NULL ORDER BY number) FROM knowledge_file_parts WHERE file_id = %(id)s",
        id=file["id"],
    )
    assert bytes(row[0]) == content
    await client.post("/delete/knowledgebase", {"knowledgebase_id": base})


async def test_file_from_a_url(start: StartService) -> None:
    async with serving_files() as server:
        server.replies["/docs/%E5%88%B6%E5%BA%A6.txt"] = reply(RULE.encode())
        async with start(make_settings(fetch_allowed_hosts=server.host)) as api:
            client = await api.client()
            (added,) = await add(
                client, await new_base(client), {"content": server.url("/docs/%E5%88%B6%E5%BA%A6.txt")}
            )
            assert (added["name"], added["sizeMB"]) == ("制度.txt", None)
            done = await read(client, added["id"])
            assert (done["status"], done["size"]) == ("COMPLETED", len(RULE.encode()))


async def test_url_that_leads_inside(client: Client) -> None:
    async with serving_files() as server:
        server.replies["/a.txt"] = reply(RULE.encode())
        (added,) = await add(client, await new_base(client), {"content": server.url("/a.txt")})
        done = await read(client, added["id"])
        assert done["status"] == "FAILED"
        assert "can't be reached" in done["reason"]
        assert server.requests == []


async def test_url_of_something_else(start: StartService) -> None:
    async with serving_files() as server:
        server.replies["/page"] = reply(b"\x89PNG\r\n", media_type="image/png")
        async with start(make_settings(fetch_allowed_hosts=server.host)) as api:
            client = await api.client()
            (added,) = await add(client, await new_base(client), {"content": server.url("/page")})
            done = await read(client, added["id"])
            assert done["status"] == "FAILED"
            assert "PDF, DOCX" in done["reason"]


async def test_file_that_cannot_be_read_says_why(client: Client) -> None:
    (added,) = await add(client, await new_base(client), {"name": "a.json", "content": encoded("{oops")})
    done = await read(client, added["id"])
    assert (done["status"], done["memory_count"]) == ("FAILED", None)
    assert "not valid" in done["reason"]


BAD: list[tuple[str, object, int, str]] = [
    ("no base", {"knowledgebase_id": None}, 40002, "knowledgebase_id"),
    ("number as base", {"knowledgebase_id": 7}, 40000, "knowledgebase_id"),
    ("unknown base", {"knowledgebase_id": "b"}, 50120, "knowledge base"),
    ("no files", {"file": None}, 40002, "file"),
    ("empty files", {"file": []}, 40003, "file"),
    ("files as text", {"file": "x"}, 40000, "file"),
    ("text among files", {"file": ["x"]}, 40000, "file[0]"),
    ("no content", {"file": [{"name": "a.txt"}]}, 40002, "file[0].content"),
    ("number as content", {"file": [{"content": 7}]}, 40000, "file[0].content"),
    ("number as name", {"file": [{"content": "aGk=", "name": 7}]}, 40000, "file[0].name"),
    ("long name", {"file": [{"content": "aGk=", "name": "x" * 256}]}, 40000, "file[0].name"),
    ("unknown purpose", {"file": [{"content": "aGk=", "type": "song"}]}, 40006, "file[0].type"),
    ("unknown format", {"file": [{"content": "aGk=", "name": "a.xls"}]}, 40007, "file[0]"),
    ("picture", {"file": [{"content": encoded(b"\x89PNG\r\n\x1a\n"), "name": "a.txt"}]}, 40007, "file[0]"),
    ("no base64", {"file": [{"content": "aGk="}, {"content": "a*b"}]}, 40008, "file[1].content"),
    ("half of base64", {"file": [{"content": "aGkab"}]}, 40009, "file[0].content"),
    ("empty data URL", {"file": [{"content": "data:text/plain,"}]}, 50107, "file[0]"),
    ("other scheme", {"file": [{"content": "ftp://example.com/a.txt"}]}, 40000, "file[0].content"),
    ("too many", {"file": [{"content": "aGk="}] * 21}, 50103, "20"),
]


@pytest.mark.parametrize(("changes", "code", "names"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
async def test_what_is_refused(client: Client, changes: dict[str, object], code: int, names: str) -> None:
    base = await new_base(client)
    body = {"knowledgebase_id": base, "file": [{"content": "aGk="}], **changes}
    answer = await client.send("/add/knowledgebase-file", body)
    assert (answer.code, names in answer.message) == (code, True), answer
    assert (await client.post("/get/knowledgebase-file", {"knowledgebase_id": base}))["total"] == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_none(client: Client, body: bytes) -> None:
    answer = await client.send("/add/knowledgebase-file", body)
    assert (answer.status, answer.code) == (400, 40000)


async def test_what_a_form_lacks(client: Client) -> None:
    base = await new_base(client)
    nothing = await form(client, {"knowledgebase_id": base}, other="x")
    assert nothing.code in {40000, 40002}
    assert (await form(client, {}, ("a.txt", b"x"))).code == 40002
    assert (await form(client, {"knowledgebase_id": base, "type": "song"}, ("a.txt", b"x"))).code == 40006
    assert (await form(client, {"knowledgebase_id": base}, ("a.exe", b"MZ\x00"))).code == 40007
    assert (await form(client, {"knowledgebase_id": base}, ("a.txt", b""))).code == 50107
    assert (await form(client, {"knowledgebase_id": base}, *[("a.txt", b"x")] * 21)).code == 50103


async def test_limits_of_size(start: StartService) -> None:
    limits = {"document_max_bytes": 100, "files_max_bytes": 150, "max_request_bytes": 10_000}
    async with start(make_settings(**limits), worker=False) as api:
        client = await api.client()
        base = await new_base(client)
        for files, code in (([101], 50104), ([90, 90], 50105), ([90, 60], 0)):
            in_json = [{"name": "a.txt", "content": encoded("x" * size)} for size in files]
            answer = await client.send("/add/knowledgebase-file", {"knowledgebase_id": base, "file": in_json})
            assert answer.code == code
            assert answer.status == (413 if code else 200)
            in_form = await form(client, {"knowledgebase_id": base}, *[("a.txt", b"x" * size) for size in files])
            assert in_form.code == code


async def test_bodies_with_files_may_be_larger_than_others(start: StartService) -> None:
    async with start(make_settings(max_request_bytes=1000, files_max_bytes=9000), worker=False) as api:
        client = await api.client()
        base = await new_base(client)
        body = {"knowledgebase_id": base, "file": [{"name": "a.txt", "content": encoded("x" * 9000)}]}
        assert (await client.send("/add/knowledgebase-file", body)).code == 0
        beyond = {"knowledgebase_id": base, "file": [{"name": "a.txt", "content": encoded("x" * 12_000)}]}
        assert (await client.send("/add/knowledgebase-file", beyond)).code == 40301
        assert (
            await client.send("/create/knowledgebase", {"knowledgebase_name": "x", "more": "x" * 1000})
        ).code == 40301


async def test_pages_of_files(client: Client) -> None:
    base = await new_base(client)
    await add(client, base, *({"name": f"{number}.txt", "content": "aGk="} for number in range(5)))
    answer = await client.post("/get/knowledgebase-file", {"knowledgebase_id": base, "page": 2, "page_size": 2})
    assert [file["name"] for file in answer["file_detail_list"]] == ["2.txt", "1.txt"]
    assert (answer["total"], answer["page"], answer["page_size"]) == (5, 2, 2)
    skills = await client.post("/get/knowledgebase-file", {"knowledgebase_id": base, "type": "skill"})
    assert (skills["total"], skills["file_detail_list"]) == (0, [])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 40002),
        ({"file_ids": []}, 40003),
        ({"file_ids": "x"}, 40000),
        ({"file_ids": ["x"], "knowledgebase_id": "y"}, 40000),
        ({"knowledgebase_id": "y"}, 50120),
        ({"knowledgebase_id": "y", "page": 0}, 40000),
        ({"knowledgebase_id": "y", "page_size": 101}, 40000),
        ({"knowledgebase_id": "y", "type": "song"}, 40006),
    ],
)
async def test_which_files(client: Client, body: object, code: int) -> None:
    assert (await client.send("/get/knowledgebase-file", body)).code == code


async def test_a_deleted_file_is_forgotten(api: Api, client: Client) -> None:
    base = await new_base(client)
    gone, kept = await add_text(client, base, "The limit is 800 yuan."), await add_text(client, base, "Sign in twice.")
    assert await client.post("/delete/knowledgebase-file", {"file_ids": [gone]}) == {"success": True}
    assert [file["id"] for file in await details(client, gone, kept)] == [kept]
    for table in ("memories WHERE conversation_id", "knowledge_file_parts WHERE file_id::text"):
        assert query(api.urls.owner, f"SELECT count(*) FROM {table} = %(id)s", id=gone) == [(0,)]
        assert query(api.urls.owner, f"SELECT count(*) FROM {table} = %(id)s", id=kept) == [(1,)]
    answer = await client.send("/delete/knowledgebase-file", {"file_ids": [kept, gone]})
    assert (answer.status, answer.code) == (404, 40001)
    assert len(await details(client, kept)) == 1


async def test_a_file_that_is_read_twice_is_stored_once(api: Api, client: Client) -> None:
    file = await add_text(client, await new_base(client), "The limit is 800 yuan.")
    place = "UPDATE knowledge_files SET status = 'PROCESSING' WHERE id = %(id)s RETURNING project_id, cube_id, id"
    (row,) = query(api.urls.owner, place, id=file)
    assert await api.service.files.process(*row)
    assert (await details(client, file))[0]["status"] == "COMPLETED"
    assert query(api.urls.owner, "SELECT count(*) FROM memories WHERE conversation_id = %(id)s", id=file) == [(1,)]
