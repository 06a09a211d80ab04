import traceback
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from memcubed.errors import ProviderError
from memcubed.providers.rerank import HttpReranker, RerankEndpoint
from tests.support.rerank_server import RerankServer, refusal, strict_cohere, tei

KEY = "secret-key-1234567890"
SCORES = {"best": 0.9, "middle": 0.5, "worst": 0.1}


@pytest.fixture
def server() -> Iterator[RerankServer]:
    with RerankServer(lambda _, document: SCORES.get(document, 0.0)) as running:
        yield running


Connect = Callable[..., HttpReranker]


@pytest.fixture
async def connect(server: RerankServer) -> AsyncIterator[Connect]:
    opened: list[HttpReranker] = []

    def build(
        *, url: str | None = None, model: str | None = "m", key: str | None = KEY, timeout: float = 30.0, **options: int
    ) -> HttpReranker:
        opened.append(HttpReranker(RerankEndpoint(url or server.url, model, key, timeout), **options))
        return opened[-1]

    yield build
    for reranker in opened:
        await reranker.close()


async def test_scores_have_the_order_of_the_documents(connect: Connect, server: RerankServer) -> None:
    assert await connect().score("which?", ["worst", "best", "middle"]) == [0.1, 0.9, 0.5]
    assert server.requests == [
        {
            "path": "/v1/rerank",
            "model": "m",
            "query": "which?",
            "documents": ["worst", "best", "middle"],
            "top_n": 3,
            "return_documents": False,
        }
    ]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


async def test_without_key_or_model_none_is_sent(connect: Connect, server: RerankServer) -> None:
    await connect(url=server.url + "/", key=None, model=None).score("which?", ["best"])
    assert "authorization" not in server.headers[0]
    assert "model" not in server.requests[0]
    assert server.requests[0]["path"] == "/v1/rerank"


async def test_no_documents_cost_no_call(connect: Connect, server: RerankServer) -> None:
    assert await connect().score("which?", []) == []
    assert server.requests == []


async def test_text_embeddings_inference_is_learnt_once(connect: Connect, server: RerankServer) -> None:
    server.form = tei
    reranker = connect()
    assert await reranker.score("which?", ["worst", "best"]) == [0.1, 0.9]
    assert server.requests[1] == {
        "path": "/v1/rerank",
        "model": "m",
        "query": "which?",
        "texts": ["worst", "best"],
        "truncate": True,
    }
    assert await reranker.score("which?", ["middle"]) == [0.5]
    assert len(server.requests) == 3


async def test_text_embeddings_inference_gets_no_more_than_it_takes(connect: Connect, server: RerankServer) -> None:
    server.form = tei
    documents = ["worst"] * 40 + ["best", "middle"] * 5
    assert await connect().score("which?", documents) == [SCORES[document] for document in documents]
    assert sorted(len(request["texts"]) for request in server.requests[1:]) == [18, 32]


async def test_a_server_that_does_not_know_return_documents_is_learnt(connect: Connect, server: RerankServer) -> None:
    server.form = strict_cohere
    reranker = connect()
    assert await reranker.score("which?", ["best"]) == [0.9]
    assert await reranker.score("which?", ["worst"]) == [0.1]
    assert ["return_documents" in request for request in server.requests] == [True, False, False]


async def test_what_did_not_help_is_not_remembered(connect: Connect, server: RerankServer) -> None:
    server.replies = [refusal("missing field `texts`"), refusal("missing field `texts`")]
    reranker = connect()
    with pytest.raises(ProviderError, match="422"):
        await reranker.score("which?", ["best"])
    assert await reranker.score("which?", ["best"]) == [0.9]
    assert ["texts" in request for request in server.requests] == [False, True, False]


async def test_logits_are_squashed_and_keep_their_order(connect: Connect, server: RerankServer) -> None:
    server.score = lambda _, document: float(document)
    reranker = connect()
    scores = await reranker.score("which?", ["-11.5", "0", "0.7", "1e308", "-1e308"])
    assert all(0 <= score <= 1 for score in scores)
    assert scores[4] < scores[0] < scores[1] < scores[2] < scores[3]
    assert scores[1] == 0.5
    # from then on also in answers that could be probabilities
    assert await reranker.score("which?", ["0"]) == [0.5]


async def test_probabilities_are_left_alone(connect: Connect, server: RerankServer) -> None:
    server.score = lambda _, document: float(document)
    assert await connect().score("which?", ["0", "1", "0.25", "1.00001"]) == [0.0, 1.0, 0.25, 1.0]


async def test_texts_are_cleaned_and_cut(connect: Connect, server: RerankServer) -> None:
    await connect(max_characters=10).score("q\x00\ud800" + "q" * 100, ["x" * 100, " ", ""])
    assert server.requests[0]["query"] == "q  " + "q" * 7
    assert server.requests[0]["documents"] == ["x" * 10, ".", "."]


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(301, False), (400, False), (401, False), (404, False), (422, False), (413, False), (429, True), (503, True)],
)
async def test_refusals_name_host_and_reason_and_nothing_else(
    connect: Connect, server: RerankServer, status: int, *, retryable: bool
) -> None:
    server.replies = [(status, {"message": f"'my secret diary' and {KEY} are wrong"}, {"retry-after": "7"})]
    with pytest.raises(ProviderError) as raised:
        await connect().score("my secret diary", ["best"])
    error = raised.value
    assert error.retryable is retryable
    assert error.retry_after == (7.0 if retryable else None)
    assert f"127.0.0.1 answered {status}" in error.message
    assert KEY not in "".join(traceback.format_exception(error)) + repr(connect())
    # the test itself holds the text, so only what the error says is searched
    assert "diary" not in error.message
    assert error.__context__ is None


@pytest.mark.parametrize(
    "body",
    [
        b"<html>welcome</html>",
        {},
        {"results": "none"},
        {"results": []},
        {"results": [{"index": 0, "relevance_score": 0.1}]},
        {"results": [{"index": 0, "relevance_score": 0.1}, {"index": 0, "relevance_score": 0.2}]},
        {"results": [{"index": 0, "relevance_score": 0.1}, {"index": 2, "relevance_score": 0.2}]},
        {"results": [{"index": 0, "relevance_score": 0.1}, {"relevance_score": 0.2}]},
        {"results": [{"index": 0, "relevance_score": 0.1}, {"index": 1, "relevance_score": None}]},
        b'{"results": [{"index": 0, "relevance_score": 0.1}, {"index": 1, "relevance_score": NaN}]}',
        [{"index": 1, "score": 0.1}],
    ],
    ids=["html", "empty", "no-list", "none", "one-missing", "twice", "foreign", "no-index", "null", "nan", "tei"],
)
async def test_an_unusable_answer_is_a_provider_error(connect: Connect, server: RerankServer, body: object) -> None:
    server.replies = [(200, body, {})]
    with pytest.raises(ProviderError, match=r"127\.0\.0\.1 answered with") as raised:
        await connect().score("which?", ["best", "worst"])
    assert not raised.value.retryable
    assert raised.value.__context__ is None


async def test_an_endpoint_that_is_down_is_a_provider_error(connect: Connect) -> None:
    with pytest.raises(ProviderError, match=r"127\.0\.0\.1 cannot be reached \(ConnectError\)") as raised:
        await connect(url="http://127.0.0.1:9/v1").score("which?", ["best"])
    assert raised.value.retryable
    assert raised.value.__context__ is None


@pytest.mark.parametrize("url", ["rerank.example.com/v1", "http://127.0.0.1:x/v1"])
async def test_a_url_that_is_none_is_a_provider_error(connect: Connect, url: str) -> None:
    with pytest.raises(ProviderError, match="cannot be reached"):
        await connect(url=url).score("which?", ["best"])


async def test_an_endpoint_that_hangs_is_given_up(connect: Connect, server: RerankServer) -> None:
    server.hangs = True
    with pytest.raises(ProviderError, match=r"did not answer within 0\.2 s") as raised:
        await connect(timeout=0.2).score("which?", ["best"])
    assert raised.value.retryable
    assert raised.value.__context__ is None


def test_the_key_is_not_printed() -> None:
    assert KEY not in repr(RerankEndpoint("http://localhost/v1", "m", KEY))
