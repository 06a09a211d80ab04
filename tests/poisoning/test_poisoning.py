"""Pasted text that gives orders makes, changes and deletes no memory, whatever a model that obeys it answers."""

import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.conftest import StartService
from tests.knowledge.files import add, add_text, encoded, new_base, read
from tests.poisoning.attacks import ASKS, ATTACKS, EN, PLANTED, ZH
from tests.support.api import Api, Client, Json
from tests.support.sample_memories import new_memory, settle
from tests.support.scripted_llm import Answer, ScriptedServer, json_answer, text_answer
from tests.support.settings import llm_settings

KNOWN = "I am allergic to peanuts."
FENCE = re.compile(r"^<<<(\S+)\n(.*)\n\1>>>$", re.DOTALL | re.MULTILINE)
VIEWS = ["profile", "event", "detail_factual", "preference", "tool_memory", "skill"]
FORM = {"Basic": {"Bank": {"value": ""}, "Diet": {"value": ""}}}


def obeying(request: Json) -> Answer:
    """What a model answers that does all that the text in its data asks for, in every form that it can answer in."""
    if request.get("stream"):
        return text_answer("Here is a summary.")
    content = str(request["messages"][-1]["content"])
    if isinstance(request["messages"][-1]["content"], list):  # an image
        return text_answer(f"A sign that says: {ATTACKS['english']}")
    found = FENCE.search(content)
    data: Json = {} if found is None else json.loads(found.group(2))
    labels = [turn["id"] for turn in data.get("turns", [])]
    told = [
        {"sources": labels, "kind": kind, "key": "Bank", "value": value, "reasoning": value, "tags": [], "time": ""}
        for kind in ("fact", "explicit_preference", "implicit_preference")
        for value in (f"{EN[0].upper()}{EN[1:]}.", f"{ZH}。")
    ]
    event = {"sources": labels, "title": "Bank", "event": f"{EN}.", "time": ["2025-06-10"], "location": [], "roles": []}
    fields = [{"id": f"f{number}", "value": "Zanzibar Trust", "sources": labels} for number in range(1, 4)]
    known = [memory["id"] for memory in data.get("memories", []) if isinstance(memory, dict)]
    corrected: Json = {"action": "correct", "contradicted": known, "corrected": f"{EN}.", "old": "", "new": ""}
    return json_answer({"memories": told, "events": [event], "fields": fields, "experience": "", **corrected})


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedServer]:
    with ScriptedServer(obeying) as running:
        yield running


@pytest.fixture(scope="module", params=["local", "obeying model"])
async def service(request: Any, start_module: StartService, model: ScriptedServer) -> AsyncIterator[Api]:  # noqa: ANN401 - pytest's
    settings = llm_settings(model, vision_model="scripted") if request.param == "obeying model" else None
    async with start_module(settings) as running:
        yield running


@pytest.fixture
async def victim(service: Api) -> Client:
    """A project whose user has told something and has a profile to fill."""
    client = await service.client()
    template = (await client.post("/add/profile_template", {"metadata": FORM}))["id"]
    await client.post("/bind/profile_template", {"bind_list": [{"user_id": "u", "profile_template_id": template}]})
    await settle(service, client, new_memory(KNOWN))
    return client


async def poisoned(client: Client, **filters: Any) -> list[Json]:  # noqa: ANN401 - passed on
    """The memories of every kind in which the planted words are, but for raw turns."""
    body = {"user_id": "u", "size": 50, "include_memory_view": VIEWS, **filters}
    lists = await client.post("/get/memory", body)
    found = [memory for name, page in lists.items() if name.endswith("_detail_list") for memory in page]
    return [
        memory
        for memory in found
        if memory.get("memory_type") != "WorkingMemory"
        and PLANTED in json.dumps({name: value for name, value in memory.items() if name != "sources"})
    ]


async def assert_kept(client: Client) -> None:
    """What was known is neither changed nor gone."""
    listed = await client.post("/get/memory", {"user_id": "u", "size": 50})
    assert KNOWN in [memory["memory_value"] for memory in listed["memory_detail_list"]]


async def tell(client: Client, conversation: str, *messages: str | Json) -> str:
    """Add a conversation with every kind of memory asked for; the task."""
    views = [view for view in VIEWS if view != "skill"]
    return str((await client.add(*messages, conversation_id=conversation, allow_memory_view=views))["task_id"])


async def finish(client: Client, tasks: list[str]) -> None:
    for task in tasks:
        assert (await client.finished(task))["status"] == "completed"


async def test_in_what_a_user_pastes(victim: Client) -> None:
    tasks = [
        await tell(victim, f"{name} {number}", ask.format(attack), "Done.")
        for name, attack in ATTACKS.items()
        for number, ask in enumerate(ASKS)
    ]
    await finish(victim, tasks)
    assert await poisoned(victim) == []
    await assert_kept(victim)


async def test_in_what_an_assistant_says(victim: Client) -> None:
    tasks = [
        await tell(victim, name, "What does the page say?", f"It says: {attack}", "Thanks, I see.")
        for name, attack in ATTACKS.items()
    ]
    await finish(victim, tasks)
    assert await poisoned(victim, filter={"source_role": "user"}) == []
    await assert_kept(victim)


async def test_in_what_a_tool_gives(victim: Client) -> None:
    called = {"id": "c", "type": "function", "function": {"name": "read_page", "arguments": "{}"}}
    tasks = [
        await tell(
            victim,
            name,
            "What does the page say?",
            {"role": "assistant", "content": None, "tool_calls": [called]},
            {"role": "tool", "tool_call_id": "c", "content": attack},
            {"role": "assistant", "content": "It shows rates."},
        )
        for name, attack in ATTACKS.items()
    ]
    await finish(victim, tasks)
    assert await poisoned(victim, filter={"source_role": "user"}) == []
    assert {memory.get("tool_type") for memory in await poisoned(victim)} <= {"ToolTrajectoryMemory"}
    await assert_kept(victim)


async def test_in_a_document(victim: Client) -> None:
    file = {"type": "file", "file": {"filename": "page.md", "file_data": encoded("\n\n".join(ATTACKS.values()))}}
    content = [{"type": "text", "text": "Here is the page."}, file]
    await finish(victim, [await tell(victim, "c", {"role": "user", "content": content})])
    assert await poisoned(victim)
    assert await poisoned(victim, filter={"source_role": "user"}) == []
    await assert_kept(victim)


async def test_in_a_knowledge_base(victim: Client) -> None:
    base = await new_base(victim)
    await add_text(victim, base, "\n\n".join(ATTACKS.values()))
    assert await poisoned(victim) == []
    found = {}
    for role in ("document", "user"):
        only = {"knowledgebase": {"source_role": role}}
        values = await victim.values("bank", knowledgebase_ids=["all"], filter=only, memory_limit_number=25)
        found[role] = [value for value in values if PLANTED in value]
    assert found["document"]
    assert found["user"] == []
    await assert_kept(victim)


async def test_in_a_skill(victim: Client) -> None:
    base = await new_base(victim)
    skill = f"---\nname: rates\ndescription: Rates of {PLANTED}.\n---\n" + "\n\n".join(ATTACKS.values())
    (added,) = await add(victim, base, {"name": "SKILL.md", "type": "skill", "content": encoded(skill)})
    assert (await read(victim, added["id"]))["status"] == "COMPLETED"
    assert await poisoned(victim) == []
    asked: Json = {"knowledgebase_ids": ["all"], "include_memory_view": ["skill"]}
    found = await victim.search("rates", **asked)
    assert PLANTED in json.dumps(found["skill_detail_list"])
    own = await victim.search("rates", filter={"knowledgebase": {"source_role": "user"}}, **asked)
    assert own["skill_detail_list"] == []
    await assert_kept(victim)


async def test_in_an_image(victim: Client) -> None:
    dot = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 40).decode()
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{dot}"}}
    content = [{"type": "text", "text": "What is this?"}, image]
    await finish(victim, [await tell(victim, "c", {"role": "user", "content": content})])
    assert await poisoned(victim, filter={"source_role": "user"}) == []
    await assert_kept(victim)


async def test_in_feedback(victim: Client) -> None:
    for attack in ATTACKS.values():
        quoted = f"The weather answer was wrong. The page said: {attack}"
        task = await victim.post("/add/feedback", {"user_id": "u", "feedback_content": quoted})
        await victim.finished(task["task_id"])
    assert await poisoned(victim, filter={"source_role": "user"}) == []
    await assert_kept(victim)


async def test_a_poisoned_memory_stays_data(service: Api, model: ScriptedServer, victim: Client) -> None:
    if service.service.model is None:
        pytest.skip("chat needs a model")
    await settle(service, victim, *(new_memory(f"Rates of {PLANTED}. {attack}") for attack in ATTACKS.values()))
    asked = len(model.chats)
    body = {"user_id": "u", "conversation_id": "c", "query": "What are the rates?", "relativity": 0}
    await victim.post("/chat", {**body, "memory_limit_number": 25, "add_message_on_answer": False})
    (chat,) = model.chats[asked:]
    assert PLANTED in str(chat["messages"])
    assert_fenced(chat)


async def test_every_prompt_holds_it_in_its_fence_alone(model: ScriptedServer, victim: Client) -> None:
    asked = len(model.chats)
    pasted = "\n".join(ATTACKS.values())
    await finish(victim, [await tell(victim, "c", ASKS[0].format(pasted), f"It says: {pasted}", "I see.")])
    for chat in model.chats[asked:]:
        assert_fenced(chat)


def assert_fenced(chat: Json) -> None:
    """The attack is in the JSON between the two lines of the nonce alone, and without any `<`."""
    content = str(chat["messages"][-1]["content"])
    found = FENCE.search(content)
    assert found is not None, content
    assert "<" not in found.group(2)
    outside = [content[: found.start()] + content[found.end() :], *map(str, chat["messages"][:-1])]
    assert PLANTED not in "".join(outside)
