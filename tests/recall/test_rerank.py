"""rerank: the caller's documents in the order of their relevance."""

import httpx
import pytest

from memcubed.providers.embeddings.scripted import HashEmbedder
from memcubed.recall.rerank import lexical_scores
from tests.conftest import StartService
from tests.support.api import Answer, Client, Json
from tests.support.rerank_server import RerankServer
from tests.support.settings import make_settings

QUERY = "Who keeps bees behind the barn?"
DOCUMENTS = ["Wine is dear.", "I keep bees behind the barn.", "My sister keeps bees in Oslo."]


async def send(client: Client, **changes: object) -> httpx.Response:
    body = {"query": QUERY, "documents": DOCUMENTS, **changes}
    return await client.http.post("/rerank", json=body, headers={"Authorization": f"Token {client.key}"})


async def rerank(client: Client, **changes: object) -> Json:
    response = await send(client, **changes)
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def indexes(answer: Json) -> list[int]:
    return [result["index"] for result in answer["results"]]


async def test_the_answer_has_no_envelope(client: Client) -> None:
    answer = await rerank(client)
    assert set(answer) == {"id", "model", "usage", "results"}
    assert answer["model"] == "hash-256@1"
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 0
    scores = [result["relevance_score"] for result in answer["results"]]
    assert indexes(answer) == [1, 2, 0]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert [result["document"]["text"] for result in answer["results"]] == [DOCUMENTS[1], DOCUMENTS[2], DOCUMENTS[0]]


async def test_documents_may_be_objects_with_text(client: Client) -> None:
    objects = [{"text": text, "title": "more"} for text in DOCUMENTS]
    answer = await rerank(client, documents=objects, model=None, top_n=None, return_documents=True)
    assert answer["results"] == (await rerank(client))["results"]
    assert answer["results"][0]["document"] == {"text": DOCUMENTS[1]}


@pytest.mark.parametrize(("top_n", "count"), [(1, 1), (2, 2), (50, 3)])
async def test_top_n_cuts_the_answer(client: Client, top_n: int, count: int) -> None:
    assert indexes(await rerank(client, top_n=top_n)) == [1, 2, 0][:count]


async def test_a_document_that_says_nothing_comes_last(client: Client) -> None:
    answer = await rerank(client, documents=["", *DOCUMENTS, "  "])
    assert [result["relevance_score"] for result in answer["results"][-2:]] == [0, 0]


async def test_chinese_documents(client: Client) -> None:
    answer = await rerank(client, query="北京适合穿什么衣服", documents=["预算批准了", "北京今天7°C，适合穿外套"])
    assert indexes(answer) == [1, 0]


async def test_a_key_is_needed(client: Client) -> None:
    response = await client.http.post("/rerank", json={"query": QUERY, "documents": DOCUMENTS})
    assert Answer.of(response).code == 40130


async def test_the_configured_reranker_decides(start: StartService) -> None:
    with RerankServer(lambda _, document: 0.9 if "Wine" in document else 0.1) as server:
        async with start(make_settings(rerank_base_url=server.url, rerank_model="judge")) as api:
            client = await api.client()
            answer = await rerank(client)
            assert (answer["model"], indexes(answer)[0]) == ("judge", 0)
            assert answer["results"][0]["relevance_score"] == 0.9
            server.replies.append((500, {"message": "out of memory"}, {}))
            failed = Answer.of(await send(client))
            assert (failed.status, failed.code) == (503, 50005)


async def test_when_the_embeddings_fail_the_answer_says_so(start: StartService) -> None:
    embedder = HashEmbedder()
    async with start(embedder=embedder) as api:
        client = await api.client()
        embedder.fail()
        failed = Answer.of(await send(client))
        assert (failed.status, failed.code) == (503, 50005)
        assert "could not be scored" in failed.message


def test_words_that_few_documents_have_count_more() -> None:
    documents = ["bees and cars", "cars and boats", "cars and trains", "tea"]
    bees, boats, trains, tea = lexical_scores("cars bees", documents)
    assert bees > boats > 0
    assert boats == pytest.approx(trains)
    assert tea == 0
    assert lexical_scores("the", documents) == [0, 0, 0, 0]
