"""The echo guard: what was recalled and comes back in messages is not learnt again, and what is new with it is."""

import json
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from memcubed.projects.keys import hash_key
from memcubed.store.tables import recalled_memories
from tests.conftest import StartService
from tests.support.api import Api, Client, Json
from tests.support.scripted_llm import Answer, ScriptedServer, json_answer, text_answer
from tests.support.settings import llm_settings, make_settings

MOST_PASTED = 20_000
"""Where nothing keeps echoes out, a few rounds paste more."""
FACTS = (
    "I drink oolong tea in the evening.",
    "My sister Anna lives in Lyon and teaches physics.",
    "我暑假要去广州旅游，住七天连锁酒店。",
    "I always sit at the window on trains.",
)
QUESTIONS = ("What should I drink tonight, given the weather?", "我这次旅行该住哪里？", "Where do I want to sit?")


def extract_all(request: Json) -> Answer:
    """A model that takes every sentence it sees for news, whoever says it."""
    if request.get("stream"):
        return text_answer("You drink oolong tea in the evening.")
    found = re.search(r"^<<<(\S+)\n(.*)\n\1>>>$", str(request["messages"][-1]["content"]), re.DOTALL | re.MULTILINE)
    assert found is not None
    turns = json.loads(found.group(2))["turns"]
    said = [(turn["id"], line.strip()) for turn in turns for line in str(turn["content"]).splitlines()]
    memories = [
        {
            "sources": [id_],
            "kind": "fact",
            "key": line[:20],
            "value": f"用户说：{line}" if re.search(r"[\u4e00-\u9fff]", line) else f"The user said: {line}",
            "reasoning": "",
            "tags": [],
            "time": "",
        }
        for id_, line in said
        if line
    ]
    return json_answer({"memories": memories})


@pytest.fixture(scope="module", params=["local", "llm"])
async def service(request: pytest.FixtureRequest, start_module: StartService) -> AsyncIterator[Api]:
    if request.param == "local":
        async with start_module(make_settings(requests_per_second=0, tokens_per_minute=0)) as running:
            yield running
        return
    with ScriptedServer(extract_all) as server:
        async with start_module(llm_settings(server, requests_per_second=0, tokens_per_minute=0)) as running:
            yield running


@pytest.fixture
async def caller(service: Api) -> Client:
    return await service.client()


async def add(caller: Client, *messages: tuple[str, str], **more: Any) -> Json:  # noqa: ANN401 - as the fields are
    sent = [{"role": role, "content": content} for role, content in messages]
    task = await caller.post("/add/message", {"user_id": "u", "conversation_id": "c", "messages": sent, **more})
    return await caller.finished(task["task_id"])


async def recall(service: Api, caller: Client, query: str, **more: Any) -> Json:  # noqa: ANN401 - same
    found = await caller.search(query, **{"conversation_id": "c", **more})
    await service.service.recalled.drain()
    return found


async def stored(caller: Client) -> set[str]:
    data = await caller.post("/get/memory", {"user_id": "u", "size": 50})
    facts = [one for one in data["memory_detail_list"] if one["memory_type"] != "WorkingMemory"]
    return {one["memory_value"] for one in facts} | {one["preference"] for one in data["preference_detail_list"]}


def as_list(found: Json) -> str:
    values = [one["memory_value"] for one in found["memory_detail_list"]]
    values += [one["preference"] for one in found["preference_detail_list"]]
    return "Relevant memories:\n" + "\n".join(f"- {value}" for value in values)


def as_numbers(found: Json) -> str:
    values = [f"{one['memory_value']} (relevance {one['relativity']})" for one in found["memory_detail_list"]]
    return "以下是相关记忆：\n" + "\n".join(f"{number}. {value}" for number, value in enumerate(values, start=1))


def as_json(found: Json) -> str:
    facts = [{**one, "sources": []} for one in found["memory_detail_list"]]
    return f"<context>\n{json.dumps({**found, 'memory_detail_list': facts}, ensure_ascii=False)}\n</context>"


@pytest.mark.parametrize(("paste", "rounds"), [(as_list, 50), (as_numbers, 10), (as_json, 10)])
async def test_fifty_rounds_of_search_answer_and_add_do_not_grow(
    service: Api, caller: Client, paste: Callable[[Json], str], rounds: int
) -> None:
    for fact in FACTS:
        await add(caller, ("user", fact), conversation_id="earlier")
    after_first = set[str]()
    for number in range(rounds):
        question = QUESTIONS[number % len(QUESTIONS)]
        pasted = paste(await recall(service, caller, question))
        answer = "As you told me before, you drink oolong tea in the evening. You always sit at the window on trains."
        assert len(pasted) < MOST_PASTED
        await add(caller, ("system", pasted), ("user", f"{pasted}\n\n{question}"), ("assistant", answer))
        if number == len(QUESTIONS) - 1:
            after_first = await stored(caller)
    assert await stored(caller) == after_first
    assert len(after_first) <= 2 * len(FACTS) + len(QUESTIONS)


async def test_rounds_of_chat_do_not_grow(service: Api, caller: Client) -> None:
    if service.service.model is None:
        pytest.skip("chat needs a language model")
    for fact in FACTS:
        await add(caller, ("user", fact), conversation_id="earlier")
    body = {"user_id": "u", "conversation_id": "c", "query": QUESTIONS[0], "relativity": 0}
    before = set[str]()
    for number in range(5):
        await caller.post("/chat", body)
        await service.service.recalled.drain()
        await add(caller, ("user", "ok"))  # in order: the exchange is read before it
        if number == 0:
            before = await stored(caller)
    assert await stored(caller) == before


@pytest.mark.parametrize("role", ["system", "user"])
async def test_what_is_new_beside_a_paste_is_learnt(service: Api, caller: Client, role: str) -> None:
    await add(caller, ("user", FACTS[0]), conversation_id="earlier")
    before = await stored(caller)
    pasted = as_list(await recall(service, caller, "What do I drink?"))
    said = "Yes, still tea, but now decaf."
    if role == "user":
        await add(caller, ("user", f"{pasted}\n\n{said}"))
    else:
        assert len(pasted) < MOST_PASTED
        await add(caller, ("system", pasted), ("user", said))
    new = await stored(caller) - before
    assert any("decaf" in value for value in new)
    assert not any("oolong" in value for value in new), new


async def test_a_message_of_nothing_but_memories_says_why_nothing_was_learnt(service: Api, caller: Client) -> None:
    await add(caller, ("user", FACTS[1]), conversation_id="earlier")
    pasted = as_list(await recall(service, caller, "Where does my sister live?"))
    task = await add(caller, ("user", pasted))
    assert (task["status"], task["memory_views"]) == ("completed", {})
    assert "recalled before" in task["reason"]


async def test_the_users_own_words_are_no_echo(service: Api, caller: Client) -> None:
    await add(caller, ("user", FACTS[0]), conversation_id="earlier")
    await recall(service, caller, FACTS[0])
    await add(caller, ("user", "I no longer drink oolong tea in the evening."))
    assert any("no longer" in value for value in await stored(caller))


async def test_a_turn_that_was_recalled_before_it_was_read_is_still_learnt(
    service: Api, caller: Client, start: StartService
) -> None:
    del service, caller
    async with start(make_settings(), worker=False) as idle:
        client = await idle.client()
        task = (await client.add(FACTS[0], conversation_id="c"))["task_id"]
        found = await recall(idle, client, "What do I drink?")
        assert found["memory_detail_list"][0]["memory_type"] == "WorkingMemory"
        async with start(make_settings(), urls=idle.urls):
            assert (await client.finished(task))["memory_views"]["detail_factual"] == {"added": 1}


async def test_a_search_without_a_conversation_guards_all_of_them(service: Api, caller: Client) -> None:
    await add(caller, ("user", FACTS[0]), conversation_id="earlier")
    before = await stored(caller)
    pasted = as_list(await recall(service, caller, "What do I drink?", conversation_id=None))
    await add(caller, ("user", pasted), conversation_id="any")
    assert await stored(caller) == before


async def test_another_conversation_is_not_guarded(service: Api, caller: Client) -> None:
    await add(caller, ("user", FACTS[0]), conversation_id="earlier")
    await recall(service, caller, "What do I drink?", conversation_id="one")
    async with service.service.database.transaction(await project(service, caller)) as connection:
        rows = (await connection.execute(select(recalled_memories.c.conversation_id).distinct())).scalars().all()
    assert rows == ["one"]


async def test_old_rows_are_forgotten(service: Api, caller: Client) -> None:
    await add(caller, ("user", FACTS[0]), conversation_id="earlier")
    project_id = await project(service, caller)
    for conversation in ("old", "new"):
        await recall(service, caller, "What do I drink?", conversation_id=conversation)
        async with service.service.database.transaction(project_id) as connection:
            if conversation == "old":
                aged = update(recalled_memories).values(recalled_at=recalled_memories.c.recalled_at - timedelta(days=8))
                await connection.execute(aged)
            rows = (await connection.execute(select(recalled_memories.c.conversation_id).distinct())).scalars().all()
    assert rows == ["new"]


async def project(service: Api, caller: Client) -> Any:  # noqa: ANN401 - a UUID
    found = await service.service.projects.authenticate(hash_key(caller.key))
    return found.project.id
