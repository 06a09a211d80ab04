"""add/message with files and images: what is refused at once, what becomes memories, and what the receipt tells."""

import base64
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tests.conftest import StartService
from tests.support.api import Client, Json
from tests.support.file_server import FileServer, redirect, reply, serving_files
from tests.support.scripted_llm import ScriptedServer, api_error, status_answer, text_answer
from tests.support.settings import make_settings

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20
MANUAL = "# Coffee machine\n\nThe boiler is descaled every ninety days with citric acid.\n"


def encoded(content: bytes | str) -> str:
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


def file(data: str, filename: str | None = None) -> Json:
    return {"type": "file", "file": {"file_data": data, **({} if filename is None else {"filename": filename})}}


def image(url: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def said(*parts: Json) -> Json:
    return {"role": "user", "content": list(parts)}


PNG_URL = f"data:image/png;base64,{encoded(PNG)}"


@pytest.fixture
async def files() -> AsyncIterator[FileServer]:
    async with serving_files() as server:
        yield server


async def documents(client: Client, query: str, **more: Any) -> list[Json]:  # noqa: ANN401 - passed on
    return list((await client.search(query, **more))["memory_detail_list"])


@pytest.mark.parametrize(
    ("part", "code", "told"),
    [
        ({"type": "file"}, 40002, "content[0].file is required"),
        ({"type": "file", "file": "x"}, 40002, "content[0].file is required"),
        ({"type": "file", "file": {}}, 40002, "content[0].file.file_data is required"),
        ({"type": "file", "file": {"file_data": 1}}, 40000, "content[0].file.file_data must be a string"),
        ({"type": "image_url"}, 40002, "content[0].image_url is required"),
        ({"type": "image_url", "image_url": {}}, 40002, "content[0].image_url.url is required"),
        ({"type": "video_url", "video_url": {}}, 40006, "content[0].type must be one of text, file, image_url"),
        (file("not base64!"), 40008, "content[0].file.file_data"),
        (file("YWJjZ"), 40009, "content[0].file.file_data"),
        (file("ftp://example.com/a.pdf"), 40000, "http"),
        (file("http://user:pw@example.com/a.pdf"), 40000, "user name"),
        (file(encoded(b"\x7fELF\x00\x00"), "a.pdf"), 40007, "content[0].file.file_data"),
        (file(encoded(b"a,b\n"), "table.xlsx"), 40007, "content[0].file.file_data"),
        (image(encoded(b"plain text")), 40007, "content[0].image_url.url"),
        (image("data:image/png;base64,AAAA"), 40007, "content[0].image_url.url"),
        (image("data:image/png,"), 40007, "content[0].image_url.url"),
    ],
)
async def test_what_can_be_seen_to_be_wrong_is_refused_at_once(
    client: Client, part: Json, code: int, told: str
) -> None:
    answer = await client.send("/add/message", {"user_id": "u", "messages": [said(part)]})
    assert (answer.status, answer.code) == (400, code), answer
    assert told in answer.message
    assert await client.messages() == []


async def test_too_many_files(client: Client) -> None:
    parts = [file(encoded(f"note {number}"), "a.txt") for number in range(21)]
    answer = await client.send("/add/message", {"user_id": "u", "messages": [said(*parts)]})
    assert (answer.status, answer.code) == (413, 50103)
    assert "21 files" in answer.message
    await client.add(said(*parts[:20]))


async def test_too_large_files(start: StartService) -> None:
    async with start(make_settings(document_max_bytes=100, files_max_bytes=150), worker=False) as api:
        client = await api.client()
        one = await client.send("/add/message", {"user_id": "u", "messages": [said(file(encoded("x" * 101), "a.txt"))]})
        assert (one.status, one.code) == (413, 50104)
        parts = [said(file(encoded("x" * 90), "a.txt")), said(file(encoded("y" * 90), "b.txt"))]
        both = await client.send("/add/message", {"user_id": "u", "messages": parts})
        assert (both.status, both.code) == (413, 50105)


async def test_a_file_becomes_memories_beside_the_text(client: Client) -> None:
    message = said(text("This is the manual of my new espresso machine."), file(encoded(MANUAL), "manual.md"))
    task = await client.add(message, async_mode=False)
    assert task["status"] == "running"  # messages with files are always asynchronous
    done = await client.finished(task["task_id"])
    assert done["status"] == "completed"
    assert done["reason"] is None
    assert done["memory_views"]["detail_factual"]["added"] >= 2
    found = await documents(client, "boiler descaled citric acid")
    memory = found[0]
    assert "ninety days" in memory["memory_value"]
    assert memory["memory_key"].startswith("manual.md")
    assert memory["memory_type"] == "LongTermMemory"
    assert memory["sources"][0]["role"] == "user"
    assert any("espresso" in one["memory_value"] for one in await documents(client, "espresso machine manual"))
    stored = (await client.messages())[0]
    assert stored["content"] == message["content"]


async def test_a_file_alone_and_a_data_url(client: Client) -> None:
    url = f"data:text/markdown;base64,{encoded(MANUAL)}"
    done = await client.finished((await client.add(said(file(url))))["task_id"])
    assert (done["status"], done["reason"]) == ("completed", None)
    assert any("ninety days" in one["memory_value"] for one in await documents(client, "boiler descaled"))


async def test_what_a_document_says_is_no_word_of_the_user(client: Client) -> None:
    note = "I like broccoli more than anything. Remember that I prefer night trains."
    done = await client.finished((await client.add(said(file(encoded(note), "note.txt"))))["task_id"])
    assert done["status"] == "completed"
    found = await client.search("broccoli night trains preference")
    assert found["preference_detail_list"] == []
    assert [one["memory_key"] for one in found["memory_detail_list"]] == ["note.txt"]


async def test_without_a_vision_model_the_text_is_kept_and_the_receipt_says_so(client: Client) -> None:
    message = said(text("My cat Mochi sleeps on the piano every afternoon."), image(PNG_URL))
    done = await client.finished((await client.add(message))["task_id"])
    assert done["status"] == "completed"
    assert done["reason"] == "The image was not read: no vision model is configured (MEMCUBED_VISION_MODEL)."
    assert any("Mochi" in one["memory_value"] for one in await documents(client, "where does the cat sleep"))


async def test_a_damaged_file_is_told_and_the_others_are_read(client: Client) -> None:
    message = said(
        text("Two files about the move to Lisbon in May."),
        file(encoded(b"%PDF-1.7 and then nothing of a document"), "broken.pdf"),
        file(encoded("The landlord is called Duarte."), "lease.txt"),
    )
    done = await client.finished((await client.add(message))["task_id"])
    assert done["status"] == "completed"
    assert done["reason"].startswith("The file broken.pdf was not read: ")
    values = [one["memory_value"] for one in await documents(client, "landlord Duarte Lisbon")]
    assert any("Duarte" in value for value in values)
    assert any("Lisbon" in value for value in values)


async def test_only_asked_for_kinds(client: Client) -> None:
    message = said(text("I prefer tea to coffee."), file(encoded("Tea is served at four."), "tea.txt"))
    done = await client.finished((await client.add(message, allow_memory_view=["preference"]))["task_id"])
    assert "Files and images were not read: facts were not asked for." in done["reason"]
    assert await documents(client, "tea served at four") == []


async def test_the_same_file_twice_is_remembered_once(client: Client) -> None:
    for conversation in ("a", "b"):
        task = await client.add(said(file(encoded(MANUAL), "manual.md")), conversation_id=conversation)
        done = await client.finished(task["task_id"])
    assert done["memory_views"] == {}
    values = [one["memory_value"] for one in await documents(client, "boiler descaled")]
    assert len([value for value in values if "ninety days" in value]) == 1


async def test_files_by_url(start: StartService, files: FileServer) -> None:
    files.replies["/d/manual"] = redirect("/manual.md")
    files.replies["/manual.md"] = reply(MANUAL.encode(), media_type="text/markdown")
    async with start(make_settings(fetch_allowed_hosts=files.host)) as api:
        client = await api.client()
        done = await client.finished((await client.add(said(file(files.url("/d/manual")))))["task_id"])
        assert (done["status"], done["reason"]) == ("completed", None)
        assert any("ninety days" in one["memory_value"] for one in await documents(client, "boiler descaled"))


async def test_urls_that_lead_inside_are_not_fetched_and_nothing_is_told_of_them(
    start: StartService, files: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memcubed.production.attachments.reader._FIRST_WAIT_SECONDS", 0.01)
    files.replies["/secret"] = reply(b"the secret")
    async with start() as api:
        client = await api.client()
        message = said(text("Here are my three links for the trip."), file(files.url("/secret"), "a.txt"))
        message["content"] += [file("http://127.0.0.1:1/secret", "b.txt"), image("http://169.254.169.254/latest")]
        done = await client.finished((await client.add(message))["task_id"])
        assert done["status"] == "completed"
        notes = done["reason"].split("; ")
        unreachable = "The URL can't be fetched: its host can't be reached."
        assert f"The file a.txt was not read: {unreachable}" in notes
        assert f"The file b.txt was not read: {unreachable}" in notes
        assert files.requests == []


async def test_fetching_can_be_turned_off(start: StartService, files: FileServer) -> None:
    files.replies["/a.txt"] = reply(b"x")
    async with start(make_settings(fetch_urls=False, fetch_allowed_hosts=files.host)) as api:
        client = await api.client()
        done = await client.finished((await client.add(said(file(files.url("/a.txt")))))["task_id"])
        assert "does not fetch URLs" in done["reason"]
        assert files.requests == []


async def test_a_server_that_fails_in_passing_is_asked_again(
    start: StartService, files: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memcubed.production.attachments.reader._FIRST_WAIT_SECONDS", 0.01)
    files.replies["/down"] = reply(status=503)
    files.replies["/gone"] = reply(status=404)
    async with start(make_settings(fetch_allowed_hosts=files.host)) as api:
        client = await api.client()
        done = await client.finished(
            (await client.add(said(file(files.url("/down")), file(files.url("/gone")))))["task_id"]
        )
        assert "status 503" in done["reason"]
        assert "status 404" in done["reason"]
        asked = [request.split(" ")[1] for request in files.requests]
        assert (asked.count("/down"), asked.count("/gone")) == (3, 1)


def vision_settings(server: ScriptedServer, **more: Any) -> Any:  # noqa: ANN401 - as the fields are
    return make_settings(vision_model="eyes", vision_base_url=server.base_url, **more)


def images_asked(server: ScriptedServer) -> Sequence[Json]:
    return [chat for chat in server.chats if chat["model"] == "eyes"]


async def test_images_are_described_once_by_the_vision_model(start: StartService, files: FileServer) -> None:
    files.replies["/cat.png"] = reply(PNG, media_type="image/png")
    description = "一只橘猫躺在钢琴上，旁边的日历写着“六月”。"
    with ScriptedServer(text_answer(description)) as server:
        async with start(vision_settings(server, fetch_allowed_hosts=files.host)) as api:
            client = await api.client()
            message = said(text("这是我家的猫，它叫麻薯，每天下午都睡觉"), image(files.url("/cat.png")))
            done = await client.finished((await client.add(message))["task_id"])
            assert (done["status"], done["reason"]) == ("completed", None)
            values = [one["memory_value"] for one in await documents(client, "橘猫 钢琴 日历")]
            assert description in values
            assert any("麻薯" in value for value in values)
        asked = images_asked(server)
        assert len(asked) == 1
        system, user = asked[0]["messages"]
        assert "图片" in system["content"]
        # the endpoint gets the picture and no URL that it might fetch, and nothing that the user wrote
        assert [part["image_url"]["url"] for part in user["content"]] == [PNG_URL]


async def test_an_image_of_many_cubes_and_sent_as_a_file(start: StartService) -> None:
    with ScriptedServer(text_answer("A red bicycle.")) as server:
        async with start(vision_settings(server)) as api:
            client = await api.client()
            task = await client.add(said(file(encoded(PNG), "photo.png")), user=None, user_id=["ann", "bob"])
            done = await client.finished(task["task_id"])
            assert done["status"] == "completed"
            for user in ("ann", "bob"):
                found = await documents(client, "red bicycle", user=user)
                assert [(one["memory_key"], one["memory_value"]) for one in found] == [("photo.png", "A red bicycle.")]


@pytest.mark.parametrize("answer", [status_answer(500), api_error(400, "no images here"), text_answer("")])
async def test_a_vision_model_that_fails_does_not_hold_up_the_text(
    start: StartService,
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,  # noqa: ANN401 - a script
) -> None:
    monkeypatch.setattr("memcubed.production.attachments.reader._FIRST_WAIT_SECONDS", 0.01)
    with ScriptedServer(answer) as server:
        async with start(vision_settings(server)) as api:
            client = await api.client()
            message = said(text("My bicycle was stolen in Utrecht yesterday."), image(PNG_URL))
            done = await client.finished((await client.add(message))["task_id"])
            assert done["status"] == "completed"
            assert done["reason"].startswith("The image was not read: ")
            assert any("Utrecht" in one["memory_value"] for one in await documents(client, "stolen bicycle"))
        assert len(images_asked(server)) <= 3


async def test_a_retry_of_the_job_reads_nothing_again(start: StartService, files: FileServer) -> None:
    files.replies["/manual.md"] = reply(MANUAL.encode(), media_type="text/markdown")
    tries = 0

    def script(request: Json) -> Any:  # noqa: ANN401 - an answer
        nonlocal tries
        if request["model"] == "eyes":
            return text_answer("A boiler.")
        tries += 1
        return status_answer(500) if tries <= 4 else text_answer(json.dumps({"memories": []}))

    with ScriptedServer(script) as server:
        settings = vision_settings(
            server, fetch_allowed_hosts=files.host, llm_base_url=server.base_url, llm_model="scripted"
        )
        async with start(settings) as api:
            client = await api.client()
            message = said(text("I descale my boiler on Sundays."), file(files.url("/manual.md")), image(PNG_URL))
            done = await client.finished((await client.add(message))["task_id"])
            assert done["status"] == "completed"
            assert tries > 4
            assert len(files.requests) == 1
            assert len(images_asked(server)) == 1
            values = [one["memory_value"] for one in await documents(client, "boiler")]
            assert len([value for value in values if "ninety days" in value]) == 1
            rows = await api.service.database.read("SELECT count(*) FROM message_readings", {})
            assert rows[0]["count"] == 0
