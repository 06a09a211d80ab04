"""Redaction by project: on every way in, nothing is stored in or shown to a model for a project that redacts."""

import base64
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import pytest

from memcubed.bootstrap import DatabaseUrls
from memcubed.doctor.model import Check
from tests.conftest import StartService
from tests.http.test_admin import Admin, admin_of
from tests.knowledge.files import add, add_text, encoded, form, new_base, read
from tests.store.test_tenancy import tenant_tables
from tests.support.api import Api, Client, Json, eventually
from tests.support.databases import execute, query
from tests.support.rerank_server import RerankServer
from tests.support.scripted_llm import Answer, ScriptedServer, echo_everything, json_answer, text_answer
from tests.support.settings import llm_settings, make_settings

PNG_BYTES: Final = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20
PNG: Final = f"data:image/png;base64,{encoded(PNG_BYTES)}"
KEPT: Final = ("[EMAIL]", "[PHONE]")


@dataclass(frozen=True)
class Secret:
    """What must not be found again; `text` is a sentence that says it."""

    email: str
    phone: str

    @property
    def text(self) -> str:
        return f"My contacts are {self.email} and {self.phone}, and I like green tea."

    def is_in(self, text: str) -> bool:
        return self.email in text or self.phone in text


@dataclass
class Setting:
    """A service with a project that redacts and one that does not."""

    api: Api
    admin: Admin
    model: ScriptedServer
    client: Client
    project_id: str
    secret: Secret

    def stored(self) -> str:
        """All that the project has in the database, with the files in it unpacked."""
        found = [
            str(row)
            for table in tenant_tables(self.api)
            for row in query(
                self.api.urls.owner, f"SELECT t::text FROM {table} t WHERE project_id = %(id)s", id=self.project_id
            )
        ]
        rows = query(
            self.api.urls.owner,
            "SELECT string_agg(content, '' ORDER BY number) FROM knowledge_file_parts WHERE project_id = %(id)s "
            "GROUP BY file_id",
            id=self.project_id,
        )
        inline = [
            base64.b64decode(data) for data in re.findall(r"(?:base64,|file_data\W+)([A-Za-z0-9+/=]{8,})", str(found))
        ]
        return "\n".join([*found, *(_unpacked(content) for (content,) in rows), *map(_unpacked, inline)])

    @property
    def shown(self) -> str:
        """All that language models were shown, but for images."""
        return json.dumps(self.model.chats, ensure_ascii=False)


def _unpacked(content: bytes) -> str:
    if not content.startswith(b"PK"):
        return content.decode("utf-8", "replace")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return "\n".join(f"{name}\n{archive.read(name).decode('utf-8', 'replace')}" for name in archive.namelist())


def script_of(current: list[Secret]) -> Callable[[Json], Answer]:
    def script(request: Json) -> Answer:
        if isinstance(request["messages"][-1]["content"], list):
            return text_answer(f"A business card that says: {current[-1].text}")
        return echo_everything(request)

    return script


@pytest.fixture(scope="module")
async def services(start_module: StartService) -> AsyncIterator[tuple[Api, Admin, ScriptedServer, list[Secret]]]:
    current: list[Secret] = []
    with ScriptedServer(script_of(current)) as model:
        async with start_module(llm_settings(model, vision_model="scripted")) as api:
            yield api, await admin_of(api), model, current


async def setting_of(services: tuple[Api, Admin, ScriptedServer, list[Secret]], *, redact: bool | None) -> Setting:
    api, admin, model, current = services
    number = uuid4().int % 10_000
    current.append(Secret(f"ada{uuid4().hex[:8]}@example.com", f"1381234{number:04}"))
    project = await admin.new_project(**({} if redact is None else {"redact": redact}))
    client = await admin.new_client(project["id"])
    return Setting(api, admin, model, client, project["id"], current[-1])


async def done(client: Client, task: Json) -> Json:
    ended = await client.finished(task["task_id"])
    assert ended["status"] == "completed", ended
    return ended


async def messages_and_tools(setting: Setting) -> None:
    said = setting.secret.text
    call = {"id": "c", "type": "function", "function": {"name": "send", "arguments": json.dumps({"号": said})}}
    task = await setting.client.add(
        said,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": json.dumps({"to": f"号{setting.secret.phone}\n{said}"})},
        {"role": "user", "content": [{"type": "text", "text": said}]},
        tags=[said[:40]],
        info={"scene": said},
        allow_memory_view=["detail_factual", "preference", "tool_memory", "skill"],
    )
    await done(setting.client, task)


async def questions_and_previews(setting: Setting) -> None:
    body = {"messages": [{"role": "user", "content": setting.secret.text}], "extraction_types": ["memory"]}
    await setting.client.post("/extract/memory", body)
    body = {"query": setting.secret.text, "documents": [setting.secret.text]}
    headers = {"Authorization": f"Token {setting.client.key}"}
    assert (await setting.api.http.post("/rerank", json=body, headers=headers)).status_code == 200
    await setting.client.post("/search/memory", {"user_id": "u", "query": setting.secret.text})
    await done(setting.client, await setting.client.add(setting.secret.text))


async def feedback(setting: Setting) -> None:
    body = {"user_id": "u", "conversation_id": "c", "feedback_content": setting.secret.text, "async_mode": False}
    await setting.client.post("/add/feedback", body)


async def changed_memories(setting: Setting) -> None:
    await done(setting.client, await setting.client.add("I like tea."))
    found = (await setting.client.search("tea"))["memory_detail_list"]
    body = {"memory_id": found[0]["id"], "content": setting.secret.text, "title": setting.secret.email}
    await setting.client.post("/update/memory", body)


async def profiles(setting: Setting) -> None:
    metadata = {"Contact": {"url": {"value": setting.secret.text, "algorithm_updatable": True}}}
    made = await setting.client.post("/add/profile_template", {"name": setting.secret.text[:60], "metadata": metadata})
    id_ = made["profile_template_id"]
    await setting.client.post("/bind/profile_template", {"bind_list": [{"user_id": "u", "profile_template_id": id_}]})
    await setting.client.post("/edit/profile", {"user_id": "u", "profile_template_id": id_, "metadata": metadata})


async def chats(setting: Setting) -> None:
    body = {"user_id": "u", "conversation_id": "c", "query": setting.secret.text, "system_prompt": setting.secret.text}
    await setting.client.post("/chat", body)


async def knowledge_files(setting: Setting) -> None:
    base = await new_base(setting.client, setting.secret.text[:60])
    await add_text(setting.client, base, setting.secret.text, name=f"{setting.secret.email}.txt")


async def knowledge_forms(setting: Setting) -> None:
    base = await new_base(setting.client)
    answer = await form(
        setting.client,
        {"knowledgebase_id": base},
        (f"{setting.secret.email}.md", f"# {setting.secret.email}\n\n{setting.secret.text}".encode()),
        ("broken.pdf", f"%PDF-1.7 {setting.secret.text}".encode()),
    )
    assert answer.code == 0, answer
    assert [(await read(setting.client, file["id"]))["status"] for file in answer.data] == ["COMPLETED", "FAILED"]


def skill(secret: Secret) -> str:
    return (
        f"---\nname: contact\ndescription: {secret.email} is to be told.\nowner: {secret.email}\n---\n{secret.text}\n"
    )


async def skill_files(setting: Setting) -> None:
    base = await new_base(setting.client)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("SKILL.md", skill(setting.secret))
        archive.writestr("scripts/tell.sh", f"mail {setting.secret.email}")
        archive.writestr(f"notes/{setting.secret.phone}.txt", setting.secret.text)
        archive.writestr("logo.png", b"\x89PNG\x00\xff")
    files = await add(
        setting.client,
        base,
        {"name": f"{setting.secret.phone}.md", "type": "skill", "content": encoded(skill(setting.secret))},
        {"name": "contact.zip", "type": "skill", "content": encoded(packed.getvalue())},
    )
    for file in files:
        assert (await read(setting.client, file["id"]))["status"] == "COMPLETED"


async def files_in_messages(setting: Setting) -> None:
    data = encoded(f"# Contacts\n\n{setting.secret.text}")
    part = {"type": "file", "file": {"file_data": data, "filename": f"{setting.secret.email}.md"}}
    broken = {"type": "file", "file": {"file_data": encoded("%PDF-1.7"), "filename": f"{setting.secret.phone}.pdf"}}
    task = await setting.client.add({"role": "user", "content": [{"type": "text", "text": "Look"}, part, broken]})
    await done(setting.client, task)


async def images(setting: Setting) -> None:
    for image in ({"url": PNG}, PNG):
        part = {"type": "image_url", "image_url": image}
        task = await setting.client.add(
            {"role": "user", "content": [{"type": "text", "text": "Look"}, part]}, conversation_id=str(uuid4())
        )
        await done(setting.client, task)


WAYS: Final[tuple[Callable[[Setting], Awaitable[None]], ...]] = (
    messages_and_tools,
    questions_and_previews,
    feedback,
    changed_memories,
    profiles,
    chats,
    knowledge_files,
    knowledge_forms,
    skill_files,
    files_in_messages,
    images,
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_what_one_project_has_redacted_and_another_has_not(
    services: tuple[Api, Admin, ScriptedServer, list[Secret]], way: Callable[[Setting], Awaitable[None]]
) -> None:
    redacting = await setting_of(services, redact=True)
    await way(redacting)
    stored = redacting.stored()
    assert not redacting.secret.is_in(stored), _around(stored, redacting.secret)
    assert any(mark in stored for mark in KEPT)
    assert not redacting.secret.is_in(redacting.shown)
    other = await setting_of(services, redact=None)
    await way(other)
    stored = other.stored()
    assert other.secret.email in stored
    assert other.secret.phone in stored


def _around(text: str, secret: Secret) -> str:
    places = [text.find(word) for word in (secret.email, secret.phone) if word in text]
    return text[max(0, places[0] - 300) : places[0] + 100] if places else ""


async def test_uploaded_skills_are_given_back_redacted_and_whole(
    services: tuple[Api, Admin, ScriptedServer, list[Secret]],
) -> None:
    setting = await setting_of(services, redact=True)
    await skill_files(setting)
    found = query(
        setting.api.urls.owner,
        "SELECT id, name FROM knowledge_files WHERE project_id = %(id)s ORDER BY position",
        id=setting.project_id,
    )
    assert [name for _, name in found] == ["[PHONE].md", "contact.zip"]
    headers = {"Authorization": f"Token {setting.client.key}"}
    markdown, packed = [
        (await setting.api.http.get(f"/download/skill/{id_}", headers=headers)).content for id_, _ in found
    ]
    text = '---\nname: contact\ndescription: "[EMAIL] is to be told."\nowner: "[EMAIL]"\n---\n'
    text += "My contacts are [EMAIL] and [PHONE], and I like green tea.\n"
    assert markdown.decode() == text
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.namelist() == ["SKILL.md", "scripts/tell.sh", "notes/[PHONE].txt", "logo.png"]
        assert archive.read("SKILL.md").decode() == text
        assert archive.read("logo.png") == b"\x89PNG\x00\xff"
    memories = query(
        setting.api.urls.owner, "SELECT value FROM memories WHERE project_id = %(id)s", id=setting.project_id
    )
    assert memories == [("[EMAIL] is to be told.",)] * 2


async def test_what_is_left_of_a_document_that_was_let_go_is_not_read_anew(start: StartService) -> None:
    async with start(make_settings(redact=True)) as api:
        client = await api.client()
        base = await new_base(client)
        lines = "\n\n".join(f"# Part {number}\n\nRule {number} is to call 1381234{number:04}." for number in range(3))
        file_id = await add_text(client, base, lines, name="rules.md")
        execute(api.urls, "DELETE FROM memories WHERE key LIKE '%Part 1'")
        (diagnosis,) = (await api.service.doctor.examine(repair=True)).diagnoses
        assert (diagnosis.repaired or {}).get(Check.UNREAD_FILES, 0) == 0
        assert {finding.check: finding.count for finding in diagnosis.findings}[Check.UNREAD_FILES] == 1
        assert (await read(client, file_id))["status"] == "COMPLETED"
        values = query(api.urls.owner, "SELECT value FROM memories ORDER BY key")
        assert values == [("Rule 0 is to call [PHONE].",), ("Rule 2 is to call [PHONE].",)]


async def test_files_are_kept_where_nothing_is_redacted(
    services: tuple[Api, Admin, ScriptedServer, list[Secret]],
) -> None:
    setting = await setting_of(services, redact=False)
    await files_in_messages(setting)
    (message,) = await setting.client.messages()
    assert message["content"][1]["file"]["file_data"] == encoded(f"# Contacts\n\n{setting.secret.text}")


async def test_a_file_in_a_message_leaves_an_empty_one_behind(
    services: tuple[Api, Admin, ScriptedServer, list[Secret]],
) -> None:
    setting = await setting_of(services, redact=True)
    await files_in_messages(setting)
    (message,) = await setting.client.messages()
    assert message["content"] == [
        {"type": "text", "text": "Look"},
        {"type": "file", "file": {"file_data": "data:,", "filename": "[EMAIL].md"}},
        {"type": "file", "file": {"file_data": "data:,", "filename": "[PHONE].pdf"}},
    ]
    chat = {"user_id": "u", "conversation_id": "default", "query": "What is in the file?"}
    assert (await setting.client.post("/chat", chat))["response"] == "Tea."


async def test_a_change_holds_from_the_next_request_on_and_for_what_was_stored_before(
    services: tuple[Api, Admin, ScriptedServer, list[Secret]],
) -> None:
    setting = await setting_of(services, redact=None)
    await done(setting.client, await setting.client.add(setting.secret.text))
    assert setting.secret.is_in(setting.stored())
    assert setting.secret.is_in(setting.shown)
    path = f"/projects/{setting.project_id}"
    assert (await setting.admin.ask("PATCH", path, {"redact": True}))["redact"] is True
    asked = len(setting.model.chats)
    await done(setting.client, await setting.client.add("I like it with lemon.", "Noted: " + setting.secret.text))
    await setting.client.post("/chat", {"user_id": "u", "conversation_id": "default", "query": "What tea do I like?"})
    since = json.dumps(setting.model.chats[asked:])
    assert "lemon" in since
    assert "green tea" in since
    assert not setting.secret.is_in(since)
    assert (await setting.admin.ask("PATCH", path, {"redact": "default"}))["redact"] is None
    other = f"Bob is at {uuid4().hex}@example.com."
    await done(setting.client, await setting.client.add(other))
    assert other in setting.stored()


async def test_what_waits_is_extracted_redacted_when_its_project_wants_that_meanwhile(start: StartService) -> None:
    async with start(make_settings(), worker=False) as api:
        admin = await admin_of(api)
        project = await admin.new_project()
        client = await admin.new_client(project["id"])
        task = await client.add("My e-mail address is ada@example.com, and I live in Oslo.")
        await admin.ask("PATCH", f"/projects/{project['id']}", {"redact": True})
        with ScriptedServer() as model, RerankServer(lambda _query, _document: 0.9) as ranking:
            settings = make_settings(
                embedding_base_url=model.base_url, embedding_model="scripted", rerank_base_url=ranking.url
            )
            async with start(settings, urls=api.urls) as working:
                await client.finished(task["task_id"])
                client.http = working.http
                found = await client.values("Where do I live?")
            assert any("Oslo" in value for value in found)
            embedded = [request.body for request in model.requests if request.path == "/v1/embeddings"]
            assert "[EMAIL]" in json.dumps(embedded)
            assert ranking.requests
            assert "ada@example.com" not in json.dumps([embedded, ranking.requests])
        values = query(api.urls.owner, "SELECT value FROM memories WHERE extractor <> 'raw' AND status = 'activated'")
        assert "[EMAIL]" in str(values)
        assert "ada@example.com" not in str(values)


async def test_no_model_is_shown_what_was_stored_before(start: StartService, database: DatabaseUrls) -> None:
    async with start(urls=database) as api:
        admin = await admin_of(api)
        project = await admin.new_project()
        client = await admin.new_client(project["id"])
        await done(client, await client.add("My e-mail address is ada@example.com, and I live in Oslo."))
        await admin.ask("PATCH", f"/projects/{project['id']}", {"redact": True})
    with ScriptedServer() as model, RerankServer(lambda _query, _document: 0.9) as ranking:
        settings = make_settings(
            embedding_base_url=model.base_url, embedding_model="scripted", rerank_base_url=ranking.url
        )
        async with start(settings, urls=database) as api:  # which embeds all anew, as the model is another one
            client.http = api.http

            async def is_embedded() -> bool:
                return "My e-mail address is [EMAIL]" in str(model.requests)

            await eventually(is_embedded)
            assert "My e-mail address is ada@example.com" in str(await client.values("Where do I live?"))
        embedded = [request.body for request in model.requests if request.path == "/v1/embeddings"]
        assert "My e-mail address is [EMAIL]" in json.dumps(ranking.requests)
        assert "ada@example.com" not in json.dumps([embedded, ranking.requests])


@pytest.mark.parametrize(("own", "redacted"), [(None, True), (True, True), (False, False)])
async def test_a_projects_own_choice_outweighs_the_installations(
    start: StartService,
    *,
    own: bool | None,
    redacted: bool,
) -> None:
    async with start(make_settings(redact=True), worker=False) as api:
        admin = await admin_of(api)
        project = await admin.new_project(**({} if own is None else {"redact": own}))
        assert project["redact"] is own
        assert (await admin.ask("GET", f"/projects/{project['id']}"))["redact"] is own
        client = await admin.new_client(project["id"])
        await client.add("Write to ada@example.com.")
        (message,) = await client.messages()
        assert message["content"] == ("Write to [EMAIL]." if redacted else "Write to ada@example.com.")


@pytest.mark.parametrize("wrong", ["yes", 1, "on", []])
async def test_what_the_choice_can_not_be(api: Api, wrong: Any) -> None:  # noqa: ANN401 - a case
    admin = await admin_of(api)
    project = await admin.new_project()
    for answer in (
        await admin.send("PATCH", f"/projects/{project['id']}", {"redact": wrong}),
        await admin.send("POST", "/projects", {"name": "x", "redact": wrong}),
    ):
        assert (answer.status, answer.code) == (400, 40000)
        assert "redact" in answer.message


async def test_ids_by_which_requests_address_stay(start: StartService) -> None:
    async with start(make_settings(redact=True)) as api:
        client = await api.client()
        task = await client.add(
            "I like tea.", user="ada@example.com", conversation_id="13812345678", info={"biz_id": "13812345678"}
        )
        await client.finished(task["task_id"])
        assert len(await client.messages("13812345678", user="ada@example.com")) == 1
        found = await client.search("tea", user="ada@example.com", filter={"biz_id": "13812345678"})
        assert found["memory_detail_list"]


async def test_long_numbers_are_redacted_as_texts_are_and_others_stay(start: StartService) -> None:
    async with start(make_settings(redact=True)) as api:
        client = await api.client()
        info = {"phone": 13812345678, "visits": 3, "amount": 1765525947718}
        await client.add("I like tea.", info=info)
        (stored,) = query(api.urls.owner, "SELECT options -> 'info' FROM tasks")
        assert stored == ({**info, "phone": "[PHONE]"},)


async def test_more_text_than_can_be_redacted_at_once_is_refused(start: StartService) -> None:
    async with start(make_settings(redact=True), worker=False) as api:
        client = await api.client()
        said = [{"role": "user", "content": "tea " * 150_000}] * 2
        answer = await client.send("/add/message", {"user_id": "u", "messages": said})
        assert (answer.status, answer.code) == (413, 40301)
        assert "1000000 characters" in answer.message
        assert await client.messages() == []


async def test_distilled_skills_see_no_more_than_other_models(start: StartService) -> None:
    said = "Please plan a weekend trip to {} for me and ada@example.com, trains before flights."
    point = {"text": "Ask for the budget first.", "sources": ["e1", "e2"]}
    answer = {"name": "trip", "description": "Planning a trip.", "steps": [point, {**point, "text": "List trains."}]}

    def script(request: Json) -> Answer:
        is_distilling = "distil" in request["messages"][0]["content"]
        return json_answer({**answer, "experience": [], "preference": []} if is_distilling else {"memories": []})

    with ScriptedServer(script) as model:
        async with start(llm_settings(model)) as api:
            admin = await admin_of(api)
            project = await admin.new_project()
            client = await admin.new_client(project["id"])
            for city in ("Rome", "Oslo", "Bonn"):
                task = await client.add(said.format(city), conversation_id=city, allow_memory_view=["skill"])
                await done(client, task)
            await admin.ask("PATCH", f"/projects/{project['id']}", {"redact": True})
            asked = len(model.chats)
            await api.service.queue.configure_task("skills.distil_all").defer_async(timestamp=0)

            async def made() -> list[Any]:
                return query(api.urls.owner, "SELECT details FROM memories WHERE kind = 'skill'")

            assert "[EMAIL]" in str(await eventually(lambda: _unless_empty(made)))
            assert "ada@example.com" not in json.dumps(model.chats[asked:])


async def _unless_empty(probe: Callable[[], Awaitable[list[Any]]]) -> list[Any] | None:
    return await probe() or None
