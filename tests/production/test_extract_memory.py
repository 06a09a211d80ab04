"""extract/memory: what would be remembered, without storing it."""

import pytest

from tests.conftest import StartService
from tests.support.api import Client, Json
from tests.support.scripted_llm import ScriptedServer, echo_extraction, status_answer
from tests.support.settings import llm_settings

SAID = "I moved to Oslo in May. I never eat pork."


def asked(*said: str, **more: object) -> Json:
    return {"messages": [{"role": "user", "content": text} for text in said], **more}


async def test_it_finds_what_add_message_remembers(client: Client) -> None:
    found = await client.post("/extract/memory", asked(SAID))
    assert found["success"] is True
    await client.finished((await client.add(SAID))["task_id"])
    stored = await client.search("Oslo pork")
    assert [
        (m["memory_key"], m["memory_value"], m["memory_type"], m["tags"]) for m in stored["memory_detail_list"]
    ] == [(m["memory_key"], m["memory_value"], m["memory_type"], m["tags"]) for m in found["memory_detail_list"]]
    assert found["preference_detail_list"] == [
        {name: preference[name] for name in ("preference", "reasoning", "preference_type")}
        for preference in stored["preference_detail_list"]
    ]


async def test_nothing_is_stored(client: Client) -> None:
    assert (await client.post("/extract/memory", asked(SAID, user_id="u")))["memory_detail_list"]
    found = await client.search("Oslo pork")
    assert found["memory_detail_list"] == found["preference_detail_list"] == []
    assert await client.messages() == []


@pytest.mark.parametrize(
    ("types", "is_empty"),
    [
        (None, (False, False)),
        (["memory"], (False, True)),
        (["preference"], (True, False)),
        (["memory", "preference"], (False, False)),
    ],
)
async def test_extraction_types_choose(client: Client, types: list[str] | None, is_empty: tuple[bool, bool]) -> None:
    found = await client.post("/extract/memory", asked(SAID, extraction_types=types, model=None))
    assert (not found["memory_detail_list"], not found["preference_detail_list"]) == is_empty


@pytest.mark.parametrize("said", ["Hello!", "你好"])
async def test_small_talk_gives_empty_lists(client: Client, said: str) -> None:
    found = await client.post("/extract/memory", asked(said, model="gpt-9"))
    assert found == {"success": True, "memory_detail_list": [], "preference_detail_list": []}


async def test_text_parts_are_read(client: Client) -> None:
    parts = [{"type": "text", "text": "我上个月搬到了杭州。"}]
    found = await client.post("/extract/memory", {"messages": [{"role": "user", "content": parts}]})
    assert "杭州" in found["memory_detail_list"][0]["memory_value"]


async def test_the_language_model_reads_when_there_is_one(start: StartService) -> None:
    with ScriptedServer(echo_extraction) as server:
        async with start(llm_settings(server)) as api:
            client = await api.client()
            found = await client.post("/extract/memory", asked(SAID))
            assert [memory["tags"] for memory in found["memory_detail_list"]] == [["scripted"]]
            server.answer_with(status_answer(401))
            answer = await client.send("/extract/memory", asked(SAID))
            assert (answer.status, answer.code) == (503, 50004)
            assert "language model" in answer.message
