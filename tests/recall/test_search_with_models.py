"""What the real local models are there for; little of it, since they take a second to load."""

from collections.abc import AsyncIterator

import pytest

from memcubed.providers.embeddings.local import LocalEmbedder
from tests.support.api import Api, Client, serving
from tests.support.databases import Databases
from tests.support.settings import make_settings

SAID = (
    "I work as a nurse at a children's hospital in Hamburg.",
    "我对花生过敏，吃了会起疹子。",
    "My car is an old blue Volvo.",
)


@pytest.fixture(scope="module")
async def real(databases: Databases) -> AsyncIterator[Api]:
    with databases.migrated() as urls:
        async with serving(make_settings(), urls, embedder=LocalEmbedder()) as api:
            yield api


@pytest.fixture(scope="module")
async def told(real: Api) -> Client:
    client = await real.client()
    for text in SAID:
        await client.finished((await client.add(text, conversation_id=text[:10]))["task_id"])
    return client


@pytest.mark.parametrize(
    ("query", "fitting"),
    [
        ("What is my job?", SAID[0]),
        ("Can I eat peanut butter?", SAID[1]),
        ("我开什么车？", SAID[2]),
        ("我有什么忌口", SAID[1]),
    ],
)
async def test_meaning_finds_what_words_do_not(told: Client, query: str, fitting: str) -> None:
    found = (await told.search(query))["memory_detail_list"]
    assert found[0]["sources"][0]["content"] == fitting


async def test_the_default_threshold_separates(told: Client) -> None:
    related = await told.post("/search/memory", {"user_id": "u", "query": "Where do I work as a nurse?"})
    assert [memory["sources"][0]["content"] for memory in related["memory_detail_list"]] == [SAID[0]]
    unrelated = await told.post("/search/memory", {"user_id": "u", "query": "How do I reset my router's password?"})
    assert unrelated["memory_detail_list"] == []


async def test_the_conversation_at_hand_is_preferred_and_not_a_filter(real: Api) -> None:
    client = await real.client()
    for conversation, colour in (("one", "red"), ("two", "blue")):
        text = f"I bought a {colour} bicycle."
        await client.finished((await client.add(text, conversation_id=conversation))["task_id"])
    scores = {}
    for conversation in ("one", "two", "three"):
        found = await client.search("How do I get to work?", conversation_id=conversation)
        scores[conversation] = {
            memory["conversation_id"]: memory["relativity"] for memory in found["memory_detail_list"]
        }
    assert all(set(found) == {"one", "two"} for found in scores.values())
    assert scores["one"]["one"] > scores["two"]["one"]
    assert scores["two"]["two"] > scores["one"]["two"]
    assert scores["one"]["one"] > scores["three"]["one"]
