import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry

from memcubed.providers.rerank import ScriptedReranker
from memcubed.recall.calibration import Ranked
from memcubed.recall.ranking import Scored
from memcubed.recall.reranking import DEPTH, Reranking
from memcubed.settings import Settings
from tests.conftest import StartService
from tests.recall.candidates import candidate
from tests.support.api import Api, Client, Json
from tests.support.rerank_server import RerankServer, tei
from tests.support.settings import make_settings

SAID = ("I keep bees behind the barn.", "My sister Ada sells the honey in Oslo.", "The red car needs new brakes.")


def ranked(*relativities: float) -> list[Ranked]:
    return [
        Ranked(Scored(candidate(f"memory {number}"), relativity, relativity, {}), relativity)
        for number, relativity in enumerate(relativities)
    ]


def numbers(results: Sequence[Ranked]) -> list[int]:
    return [int(one.scored.candidate.value.removeprefix("memory ")) for one in results]


def by_number(*scores: float) -> ScriptedReranker:
    """A reranker that gives these scores to memory 0, 1 and so on."""
    return ScriptedReranker(lambda _, document: scores[int(document.removeprefix("memory "))])


def falls(results: Sequence[Ranked]) -> bool:
    return all(before.relativity >= after.relativity for before, after in pairwise(results))


async def test_the_rerankers_score_is_order_and_relativity() -> None:
    reranker = by_number(0.2, 0.91237, 0.5)
    results = await Reranking(reranker, CollectorRegistry()).apply("which?", ranked(0.9, 0.8, 0.7))
    assert numbers(results) == [1, 2, 0]
    assert [one.relativity for one in results] == [0.9124, 0.5, 0.2]


async def test_only_the_query_and_the_values_are_sent() -> None:
    reranker = by_number(0.1, 0.2)
    await Reranking(reranker, CollectorRegistry()).apply("which?", ranked(0.9, 0.8))
    assert [(call.query, call.documents) for call in reranker.calls] == [("which?", ("memory 0", "memory 1"))]


async def test_between_equals_the_own_order_stays() -> None:
    results = await Reranking(by_number(0.3, 0.7, 0.3, 0.7), CollectorRegistry()).apply("?", ranked(0.9, 0.8, 0.7, 0.6))
    assert numbers(results) == [1, 3, 0, 2]


async def test_the_rest_follows_in_its_order_and_never_above() -> None:
    scores = [0.4 + number / 100 for number in range(DEPTH)]
    own = [0.95 - number / 100 for number in range(DEPTH + 30)]
    reranker = by_number(*scores)
    results = await Reranking(reranker, CollectorRegistry()).apply("which?", ranked(*own))
    assert len(reranker.calls[0].documents) == DEPTH
    assert numbers(results) == [*reversed(range(DEPTH)), *range(DEPTH, DEPTH + 30)]
    assert falls(results)
    assert results[DEPTH].relativity == 0.4  # capped
    assert results[-1].relativity == own[-1]  # lower anyway


async def test_nothing_found_costs_no_call() -> None:
    reranker = by_number()
    assert await Reranking(reranker, CollectorRegistry()).apply("which?", []) == []
    assert reranker.calls == []


@pytest.mark.parametrize("reason", ["error", "timeout"])
async def test_without_the_reranker_all_stays_as_it_was(reason: str) -> None:
    reranker, registry = by_number(0.1, 0.2), CollectorRegistry()
    reranking = Reranking(reranker, registry, timeout_seconds=0.05)
    if reason == "error":
        reranker.fail()
    else:
        reranker.hang()
    own = ranked(0.9, 0.8)
    assert await reranking.apply("which?", own) == own
    assert registry.get_sample_value("memcubed_rerank_failures_total", {"reason": reason}) == 1


def rerank_settings(server: RerankServer, **changes: object) -> Settings:
    return make_settings(rerank_base_url=server.url, rerank_model="m", rerank_timeout_seconds=30, **changes)


async def remembering(api: Api) -> Client:
    client = await api.client()
    for number, said in enumerate(SAID):
        await client.finished((await client.add(said, conversation_id=str(number)))["task_id"])
    return client


async def metrics(api: Api) -> str:
    response = await api.http.get(str(api.http.base_url.copy_with(path="/metrics")))
    assert response.status_code == 200
    return response.text


def prefers(word: str) -> RerankServer:
    """An endpoint that scores what holds a word high, and all else low."""
    return RerankServer(lambda _, document: 0.9 if word in document else 0.05)


def memories(data: Json) -> list[Json]:
    found: list[Json] = data["memory_detail_list"]
    return found


async def test_a_search_has_the_order_of_the_endpoint(start: StartService) -> None:
    with prefers("brakes") as server:
        async with start(rerank_settings(server, rerank_api_key="k")) as api:
            client = await remembering(api)
            found = memories(await client.search("bees behind the barn"))
            assert "brakes" in found[0]["memory_value"]
            assert found[0]["relativity"] == 0.9
            assert {memory["relativity"] for memory in found[1:]} == {0.05}
            assert set(server.requests[0]["documents"]) == {memory["memory_value"] for memory in found}
            assert server.headers[0]["authorization"] == "Bearer k"
            # the threshold cuts at the endpoint's score
            kept = memories(await client.search("bees behind the barn", relativity=0.45))
            assert [memory["id"] for memory in kept] == [found[0]["id"]]
            assert 'memcubed_search_stage_seconds_count{stage="reranking"} 2.0' in await metrics(api)


async def test_text_embeddings_inference_serves_as_well(start: StartService) -> None:
    with prefers("honey") as server:
        server.form = tei
        async with start(rerank_settings(server)) as api:
            client = await remembering(api)
            assert "honey" in memories(await client.search("bees"))[0]["memory_value"]


async def test_a_search_restricted_to_arms_is_not_reranked(start: StartService) -> None:
    with prefers("brakes") as server:
        async with start(rerank_settings(server)) as api:
            client = await remembering(api)
            assert "bees" in memories(await client.search("bees", arms=["words"]))[0]["memory_value"]
            assert server.requests == []


async def test_an_endpoint_that_never_answers_does_not_keep_the_answer(start: StartService) -> None:
    with prefers("brakes") as server:
        server.hangs = True
        settings = make_settings(rerank_base_url=server.url, rerank_timeout_seconds=0.05)
        async with start(settings) as api, start() as other:
            client, plain = await remembering(api), await remembering(other)
            assert await client.values("bees behind the barn") == await plain.values("bees behind the barn")
            assert len(server.requests) == 1
            assert 'memcubed_rerank_failures_total{reason="timeout"} 1.0' in await metrics(api)


async def test_an_endpoint_that_fails_does_not_either(start: StartService) -> None:
    with prefers("brakes") as server:
        server.replies = [(500, {}, {}), (200, {"results": []}, {})]
        async with start(rerank_settings(server)) as api:
            client = await remembering(api)
            for _ in range(2):
                assert "bees" in (await client.values("bees behind the barn"))[0]
            assert 'memcubed_rerank_failures_total{reason="error"} 2.0' in await metrics(api)
            assert "brakes" in (await client.values("bees behind the barn"))[0]


async def test_it_is_off_by_default(start: StartService) -> None:
    async with start() as api:
        client = await remembering(api)
        assert "bees" in (await client.values("bees behind the barn"))[0]
        assert not re.search('memcubed_(rerank|query_rewrite)|stage="re(rank|writ)', await metrics(api))
