"""Conversations of several: each participant remembers them with the right person as the subject."""

import json
import re
from typing import Any

import pytest

from tests.conftest import StartService
from tests.support.api import Client, Json
from tests.support.scripted_llm import Answer, ScriptedServer, json_answer
from tests.support.settings import llm_settings

THE_USER = re.compile(r"\bthe user\b|用户", re.IGNORECASE)


def by(name: str, content: str, *, id_: str | None = None) -> Json:
    return {"role": "user", "role_name": name, "content": content} | ({} if id_ is None else {"role_id": id_})


async def add(client: Client, *messages: Json, **more: Any) -> Json:  # noqa: ANN401 - passed on
    return await client.finished((await client.add(*messages, user=None, **more))["task_id"])


async def everything(client: Client, query: str, **owner: Any) -> list[str]:  # noqa: ANN401 - passed on
    found = await client.search(query, **owner)
    facts = [fact["memory_value"] for fact in found["memory_detail_list"]]
    return facts + [one["preference"] for one in found["preference_detail_list"]]


async def preferences(client: Client, query: str, **owner: Any) -> list[str]:  # noqa: ANN401 - passed on
    return [one["preference"] for one in (await client.search(query, **owner))["preference_detail_list"]]


ENGLISH = (by("Alice", "I'm allergic to nuts."), by("Bob", "I love sushi and I always sit at the window."))
CHINESE = (by("小丽", "我对坚果过敏。", id_="li"), by("小明", "我特别喜欢吃寿司，不喜欢吃辣。", id_="ming"))


async def test_another_is_called_by_name_and_the_owner_is_the_user(client: Client) -> None:
    await add(client, *ENGLISH, user_id=["alice", "bob"])
    (bobs,) = [value for value in await everything(client, "nuts", user="bob") if "nuts" in value]
    assert "Alice" in bobs
    assert not THE_USER.search(bobs)
    alices = [value for value in await everything(client, "nuts", user="alice") if "nuts" in value]
    assert alices
    assert all(THE_USER.search(value) and "Alice" not in value for value in alices)


async def test_the_same_holds_in_chinese_by_role_id(client: Client) -> None:
    await add(client, *CHINESE, user_id=["li", "ming"])
    (mings,) = [value for value in await everything(client, "坚果", user="ming") if "坚果" in value]
    assert "小丽" in mings
    assert "用户" not in mings
    lis = [value for value in await everything(client, "坚果", user="li") if "坚果" in value]
    assert lis
    assert all("用户" in value and "小丽" not in value for value in lis)


@pytest.mark.parametrize(
    ("conversation", "query", "own", "other"),
    [(ENGLISH, "sushi", "bob", "alice"), (CHINESE, "寿司", "ming", "li")],
    ids=["en", "zh"],
)
async def test_anothers_preference_is_a_fact_about_them(
    client: Client, conversation: tuple[Json, ...], query: str, own: str, other: str
) -> None:
    await add(client, *conversation, user_id=[own, other])
    assert any(THE_USER.search(one) for one in await preferences(client, query, user=own))
    assert not any(query in one for one in await preferences(client, query, user=other))
    assert any(query in value for value in await client.values(query, user=other))


async def test_role_id_decides_where_names_are_alike(client: Client) -> None:
    await add(
        client, by("Alex", "I play the oboe.", id_="a1"), by("Alex", "I play chess.", id_="a2"), user_id=["a1", "a2"]
    )
    (first,) = [value for value in await client.values("oboe", user="a1") if "oboe" in value]
    (second,) = [value for value in await client.values("oboe", user="a2") if "oboe" in value]
    assert THE_USER.search(first)
    assert second.startswith("Alex")


async def test_a_group_with_an_assistant_keeps_the_speakers_apart(client: Client) -> None:
    said = by("Alice", "I'm moving to Oslo in May. Which part of it is quiet?")
    reply = {"role": "assistant", "content": "Frogner and Nordstrand are quiet; Grünerløkka is lively at night."}
    await add(client, said, reply, user_id=["alice", "bob"])
    for value in await everything(client, "Oslo", user="bob"):
        assert not THE_USER.search(value), value
    assert any(THE_USER.search(value) for value in await everything(client, "Oslo", user="alice"))


async def test_anothers_words_in_one_users_conversation_are_not_the_users(client: Client) -> None:
    await add(
        client, by("Alice", "I love sushi.", id_="alice"), by("Bob", "I never eat fish.", id_="bob"), user_id="bob"
    )
    assert [one for one in await preferences(client, "sushi fish", user="bob") if "sushi" in one] == []
    assert any("Alice" in value for value in await client.values("sushi", user="bob"))


async def test_a_name_that_nothing_ties_to_anyone_is_only_a_label(client: Client) -> None:
    await add(client, by("Alice", "I love sushi."), {"role": "assistant", "content": "Noted."}, user_id="u_4711")
    (stated,) = await preferences(client, "sushi", user="u_4711")
    assert stated.startswith("Alice")


async def test_an_agent_remembers_who_told_it_what_and_what_it_said(client: Client) -> None:
    told = "I'm allergic to nuts and I love sushi."
    reply = "Then the pesto of Trattoria Roma is nothing for you: it has pine nuts in it. Sushi Sato has none."
    await add(
        client,
        {"role": "user", "content": told},
        {"role": "assistant", "content": reply},
        user_id=["ann"],
        agent_id=["bot"],
    )
    facts = await client.values("nuts", user=None, agent_id="bot")
    assert any("ann" in value and "allergic" in value for value in facts)
    assert any("the assistant" in value and "pesto" in value for value in facts)
    assert not any(re.search(r"the user (said|states)", value) for value in facts)
    assert await preferences(client, "sushi", user=None, agent_id="bot") == []
    assert await preferences(client, "sushi", user="ann")


async def test_an_agents_own_words_are_as_good_as_others_when_it_is_asked(client: Client) -> None:
    reply = "I have reserved table 12 at Trattoria Roma for Friday at eight, in the name of Meyer."
    said = [{"role": "user", "content": "Reserve a table, please."}, {"role": "assistant", "content": reply}]
    await add(client, *said, agent_id="bot")
    found = await client.search("Which table is reserved at Trattoria Roma?", user=None, agent_id="bot", trace=True)
    own = next(one for one in found["memory_detail_list"] if "table 12" in one["memory_value"])
    parts = next(one["parts"] for one in found["trace"] if one["id"] == own["id"])
    assert parts["assistant"] == 0


async def test_public_memory_is_recalled_by_all_and_says_whose_words_it_has(client: Client) -> None:
    await add(
        client,
        {"role": "user", "content": "The code of the garage door is 4711. I love sushi."},
        user_id="ann",
        allow_public=True,
    )
    (public,) = [value for value in await client.values("garage door code", user="ben") if "4711" in value]
    assert "ann" in public
    assert not THE_USER.search(public)
    assert await preferences(client, "sushi", user="ben") == []
    assert any(THE_USER.search(value) for value in await client.values("garage door code", user="ann"))


async def test_related_id_finds_the_conversations_of_a_participant(client: Client) -> None:
    await add(client, by("Alice", "The regatta starts at nine.", id_="a1"), user_id=["bob", "cem"], agent_id=["bot"])
    await add(client, {"role": "user", "content": "The regatta ends at five."}, user_id="bob")
    for related in ("a1", "cem", "bot"):
        (value,) = await client.values("regatta", user="bob", filter={"related_id": [related]})
        assert "nine" in value
    assert len(await client.values("regatta", user="bob", filter={"related_id": "bob"})) == 2
    assert await client.values("regatta", user="bob", filter={"related_id": ["dan"]}) == []


def careless(request: Json) -> Answer:
    """A model that takes everybody for the user."""
    found = re.search(r"^<<<(\S+)\n(.*)\n\1>>>", str(request["messages"][-1]["content"]), re.DOTALL | re.MULTILINE)
    turns = json.loads(found.group(2))["turns"] if found else []
    nuts = {"kind": "fact", "key": "allergy", "value": "The user is allergic to nuts."}
    sushi = {"kind": "explicit_preference", "key": "sushi", "value": "The user loves sushi.", "reasoning": "said so"}
    memories = [{"sources": [turn["id"]], **(nuts if "nuts" in turn["content"] else sushi)} for turn in turns]
    return json_answer({"memories": memories})


async def test_a_language_model_that_mistakes_the_speaker_is_corrected(start: StartService) -> None:
    with ScriptedServer(careless) as server:
        async with start(llm_settings(server)) as api:
            client = await api.client()
            await add(client, *ENGLISH, user_id=["alice", "bob"])
            assert sorted(await everything(client, "nuts sushi", user="bob")) == [
                "Alice is allergic to nuts.",
                "The user loves sushi.",
            ]
            assert sorted(await everything(client, "nuts sushi", user="alice")) == [
                "Bob loves sushi.",
                "The user is allergic to nuts.",
            ]
            assert await preferences(client, "sushi", user="alice") == []
            assert len(await preferences(client, "sushi", user="bob")) == 1
            prompts = [str(chat["messages"][-1]["content"]) for chat in server.chats]
    assert all("A turn with a speaker is that person's" in prompt for prompt in prompts)
    assert sorted(re.findall(r'"speaker": "(\w+)"', "".join(prompts))) == ["Alice", "Bob"]


async def test_with_a_language_model_an_agent_still_remembers_what_it_said(start: StartService) -> None:
    reply = "I have reserved table 12 at Trattoria Roma for Friday at eight, in the name of Meyer."
    with ScriptedServer(json_answer({"memories": []})) as server:
        async with start(llm_settings(server)) as api:
            client = await api.client()
            said = [{"role": "user", "content": "Reserve a table, please."}, {"role": "assistant", "content": reply}]
            await add(client, *said, user_id=["ann"], agent_id=["bot"])
            assert any("table 12" in value for value in await client.values("table", user=None, agent_id="bot"))
            assert await client.values("table", user="ann") == []


async def test_a_profile_is_filled_by_its_owners_words_under_any_display_name(client: Client) -> None:
    made = await client.post("/add/profile_template", {"name": "P", "metadata": {"Basic": {"City": {"value": ""}}}})
    binding = {"user_id": "alice", "profile_template_id": made["id"]}
    await client.post("/bind/profile_template", {"bind_list": [binding]})
    said = (by("Alice L.", "I live in Lyon.", id_="alice"), by("alice", "I live in Metz.", id_="bob"))
    await add(client, *said, user_id=["alice", "bob"])
    found = await client.search("Which city?", user="alice", include_memory_view=["profile"])
    assert [one["memory"] for one in found["profile_detail_list"]] == ["Basic.City: Lyon"]
