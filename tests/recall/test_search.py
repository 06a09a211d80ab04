"""What any good ranking keeps: limits, owners, kinds, thresholds, order, shapes."""

from itertools import permutations

import pytest

from memcubed.production.embedding import EmbeddingService
from tests.conftest import StartService
from tests.support.api import Api, Client, Json
from tests.support.sample_memories import new_memory, project_of, settle
from tests.support.scripted_llm import ScriptedServer, json_answer, status_answer
from tests.support.settings import make_settings

SAID = (
    "I moved to Lisbon in May.",
    "Nice!",
    "I like green tea and I never eat pork.",
    "Noted.",
    "My sister Clara plays the cello.",
    "Lovely.",
)
FACT = {"id", "memory_key", "memory_value", "memory_type", "create_time", "update_time", "conversation_id", "status",
        "confidence", "tags", "relativity", "memory_time", "sources", "info"}  # fmt: skip
PREFERENCE = {"id", "preference", "preference_type", "reasoning", "create_time", "update_time", "conversation_id",
              "status", "relativity", "info",
    "sources"}  # fmt: skip
LISTS = {"memory_detail_list", "preference_detail_list", "tool_memory_detail_list", "skill_detail_list",
         "event_detail_list", "profile_detail_list"}  # fmt: skip


@pytest.fixture(scope="module")
async def told(api: Api) -> Client:
    """A user of whom something is known."""
    client = await api.client()
    await client.finished((await client.add(*SAID, conversation_id="told"))["task_id"])
    return client


def facts(found: Json) -> list[Json]:
    listed: list[Json] = found["memory_detail_list"]
    return listed


def preferences(found: Json) -> list[Json]:
    listed: list[Json] = found["preference_detail_list"]
    return listed


async def test_the_shapes_are_the_contracts(told: Client) -> None:
    found = await told.search("What do I drink, and where do I live?")
    assert set(found) == LISTS | {"preference_note"}
    assert all(isinstance(found[name], list) for name in LISTS)
    assert isinstance(found["preference_note"], str)
    assert facts(found)
    for memory in facts(found):
        assert set(memory) <= FACT
        assert 0 <= memory["relativity"] <= 1
        assert 0 <= memory["confidence"] <= 1
        assert type(memory["create_time"]) is type(memory["update_time"]) is int
        assert all(isinstance(tag, str) for tag in memory["tags"])
    assert preferences(found)
    for preference in preferences(found):
        assert set(preference) == PREFERENCE
        assert preference["preference_type"] in {"explicit_preference", "implicit_preference"}
        assert preference["reasoning"]


async def test_results_come_sorted(told: Client) -> None:
    for query in ("Lisbon", "tea", "Who plays music?", "我住在哪里"):
        found = await told.search(query)
        for listed in (facts(found), preferences(found)):
            relativities = [one["relativity"] for one in listed]
            assert relativities == sorted(relativities, reverse=True)


@pytest.mark.parametrize(
    ("query", "word"), [("Where do I live? Lisbon?", "Lisbon"), ("What does Clara play?", "cello")]
)
async def test_the_fitting_fact_comes_first(told: Client, query: str, word: str) -> None:
    assert word in facts(await told.search(query))[0]["memory_value"]


async def test_the_threshold_leaves_out_and_never_adds(told: Client) -> None:
    everything = await told.search("cello")
    all_values = [one["relativity"] for one in facts(everything)]
    for threshold in (0.0, 0.3, 0.45, 0.8, 1.0):
        found = facts(await told.search("cello", relativity=threshold))
        assert [one["relativity"] for one in found] == [value for value in all_values if value >= threshold]


async def test_the_default_threshold_is_045(told: Client) -> None:
    body = {"user_id": "u", "query": "cello"}
    assert await told.post("/search/memory", body) == await told.post("/search/memory", {**body, "relativity": 0.45})


@pytest.mark.parametrize("limit", [0, 1, 2, 25])
async def test_limits_hold(told: Client, limit: int) -> None:
    found = await told.search("Lisbon tea cello", memory_limit_number=limit, preference_limit_number=limit)
    assert len(facts(found)) <= limit
    assert len(preferences(found)) <= limit
    longer = await told.search("Lisbon tea cello", memory_limit_number=25, preference_limit_number=25)
    assert facts(found) == facts(longer)[:limit]
    assert preferences(found) == preferences(longer)[:limit]


async def test_preferences_can_be_left_out(told: Client) -> None:
    found = await told.search("tea", include_preference=False)
    assert preferences(found) == []
    assert found["preference_note"] == ""
    with_them = await told.search("tea")
    assert with_them["preference_note"]


@pytest.mark.parametrize(
    ("views", "has_facts", "has_preferences"),
    [
        (["detail_factual"], True, False),
        (["preference"], False, True),
        (["detail_factual", "preference"], True, True),
        (["profile"], False, False),
        (["event", "skill", "tool_memory"], False, False),
        ([], False, False),
    ],
)
async def test_views_say_which_kinds_come_back(
    told: Client, views: list[str], *, has_facts: bool, has_preferences: bool
) -> None:
    found = await told.search("tea", include_memory_view=views)
    assert (bool(facts(found)), bool(preferences(found))) == (has_facts, has_preferences)


async def test_the_note_is_in_the_language_of_the_query(told: Client) -> None:
    assert "偏好" in (await told.search("我喜欢喝什么茶？"))["preference_note"]
    assert "preference" in (await told.search("Which tea do I like?"))["preference_note"]


async def test_nobody_is_known_at_first(client: Client) -> None:
    found = await client.search("anything", user="a stranger")
    assert all(found[name] == [] for name in LISTS)
    assert found["preference_note"] == ""


async def test_a_user_and_an_agent_may_be_searched_together(client: Client) -> None:
    for owner in ({"user": "ann"}, {"user": None, "agent_id": "bot"}):
        text = f"The tool of {owner['user'] or 'bot'} is a hammer."
        await client.finished((await client.add(text, **owner))["task_id"])
    values = await client.values("hammer", user="ann", agent_id="bot")
    assert len(values) == 2


@pytest.mark.parametrize(
    "query",
    ["？！。", "🙂", "a", "的", "' OR 1=1 --", "\\", "%_", "a & b | !c <-> d:*", "\n\t", "x" * 20_000, "茶" * 20_000],
    ids=["marks", "emoji", "letter", "stop word", "SQL", "backslash", "wildcards", "operators", "blank", "long", "长"],
)
async def test_any_query_is_answered(told: Client, query: str) -> None:
    answer = await told.send("/search/memory", {"user_id": "u", "query": query, "relativity": 0})
    assert answer.code == (40002 if not query.strip() else 0)


async def test_vectors_without_any_meaning_do_no_harm(start: StartService) -> None:
    with ScriptedServer() as server:  # gives every text a random direction
        async with start(make_settings(embedding_base_url=server.base_url, embedding_model="random")) as api:
            client = await api.client()
            await client.finished((await client.add("I keep bees behind the barn."))["task_id"])
            for query in ("bees", "zebra"):
                found = facts(await client.search(query))
                assert all(0 <= memory["relativity"] <= 1 for memory in found)


async def test_a_word_that_only_one_memory_has_finds_it_before_it_has_a_vector(start: StartService) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        endings = map("".join, permutations("bcdfghjkmnpqrt", 2))
        others = [new_memory(f"I keep a boat called zqwh{ending} in the harbour.") for ending in endings]
        await settle(api, client, *others)
        embedding = EmbeddingService(api.service.database, api.service.memories, api.service.embedder)
        await embedding.embed_project(project_of(api, client))
        await settle(api, client, new_memory("I keep a boat called zqwhale in the harbour."))
        assert (await client.values("zqwhale"))[0] == "I keep a boat called zqwhale in the harbour."


async def test_vectors_that_are_all_the_same_do_no_harm(start: StartService) -> None:
    def same(body: Json) -> object:
        data = [{"index": index, "embedding": [0.6, 0.8]} for index, _ in enumerate(body["input"])]
        return status_answer(200, {"object": "list", "data": data, "model": "same"})

    with ScriptedServer(json_answer({}), embedding_script=same) as server:  # type: ignore[arg-type]  # an Answer
        async with start(make_settings(embedding_base_url=server.base_url, embedding_model="same")) as api:
            client = await api.client()
            await client.finished((await client.add("I keep bees behind the barn."))["task_id"])
            assert any("bees" in value for value in await client.values("bees"))


@pytest.mark.parametrize("name", ["memory", "prompt", "", None])
async def test_every_context_format_gets_the_lists(told: Client, name: str | None) -> None:
    found = await told.search("Lisbon", context_format=name)
    assert set(found) == LISTS | {"preference_note"}
    assert facts(found)


async def test_a_context_format_is_a_name(told: Client) -> None:
    answer = await told.send(
        "/search/memory", {"query": "Lisbon", "user_id": "u", "context_format": {"name": "memory"}}
    )
    assert (answer.status, answer.code) == (400, 40000)
    assert "context_format" in answer.message
