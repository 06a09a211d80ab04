import json
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from memcubed.errors import ProviderError
from memcubed.providers.embeddings.openai import Endpoint, OpenAIEmbedder

KEY = "sk-secret-1234567890"
Reply = tuple[int, object, dict[str, str]]


@dataclass
class Server:
    """An OpenAI-compatible endpoint on loopback; `replies` come first, then right answers."""

    url: str = ""
    dimensions: int = 8
    replies: list[Reply] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    delay: threading.Event | None = None

    def answer(self, body: dict[str, Any]) -> Reply:
        if self.replies:
            return self.replies.pop(0)
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": [3.0 + index] + [float(len(text))] * (self.dimensions - 1),
            }
            for index, text in enumerate(body["input"])
        ]
        # the order is the index's, not the list's
        return 200, {"object": "list", "data": data[::-1], "model": body["model"], "usage": {}}, {}


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            state.requests.append(body | {"path": self.path})
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            if state.delay is not None:
                state.delay.wait(5)
            status, content, headers = state.answer(body)
            payload = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in ({"content-type": "application/json"} | headers).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing: a client that has given up is part of a test."""

    http = Quiet(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    state.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


Connect = Callable[..., OpenAIEmbedder]


@pytest.fixture
async def connect(server: Server) -> AsyncIterator[Connect]:
    opened: list[OpenAIEmbedder] = []

    def build(
        *,
        url: str | None = None,
        retries: int = 0,
        timeout: float = 5.0,
        **options: Any,  # noqa: ANN401 - passed on as they are
    ) -> OpenAIEmbedder:
        endpoint = Endpoint(url or server.url, "bge-m3", KEY, timeout=timeout, retries=retries)
        opened.append(OpenAIEmbedder(endpoint, **options))
        return opened[-1]

    yield build
    for embedder in opened:
        await embedder.close()


def error_body(message: str = f"the input 'my secret diary' and the key {KEY} are wrong") -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": "bad"}}


async def test_the_first_answer_sets_the_dimensions(connect: Connect, server: Server) -> None:
    embedder = connect()
    with pytest.raises(ProviderError, match="dimensions unknown"):
        _ = embedder.space
    await embedder.load()
    assert (embedder.space, embedder.dimensions) == ("bge-m3@8", 8)
    await embedder.load()
    assert len(server.requests) == 1
    assert "dimensions" not in server.requests[0]
    assert server.requests[0]["path"] == "/v1/embeddings"
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


async def test_configured_dimensions_are_asked_for_and_known_at_once(connect: Connect, server: Server) -> None:
    server.dimensions = 4
    embedder = connect(dimensions=4)
    assert embedder.space == "bge-m3@4"
    await embedder.embed_query("hello")
    assert server.requests[0]["dimensions"] == 4


async def test_vectors_have_unit_length_and_the_order_of_the_texts(connect: Connect, server: Server) -> None:
    embedder = connect(batch_size=2)
    texts = ["a", "bb", "ccc", "dddd", "eeeee"]
    vectors = await embedder.embed_documents(texts)
    assert [len(request["input"]) for request in server.requests] == [2, 2, 1]
    for position, (text, vector) in enumerate(zip(texts, vectors, strict=True)):
        assert vector.dtype == np.float32
        assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-6)
        assert float(vector[1] / vector[0]) == pytest.approx(len(text) / (3 + position % 2))
    assert await embedder.embed_documents([]) == []


async def test_texts_are_prefixed_cleaned_and_cut(connect: Connect, server: Server) -> None:
    embedder = connect(query_prefix="query: ", document_prefix="passage: ", max_characters=10)
    await embedder.embed_query("a\x00b\ud800c")
    await embedder.embed_documents(["x" * 100, ""])
    assert [request["input"] for request in server.requests] == [
        ["query: a b c"],
        ["passage: " + "x" * 10, "passage: "],
    ]


async def test_the_empty_text_is_not_sent_as_it_is(connect: Connect, server: Server) -> None:
    embedder = connect()
    assert (await embedder.embed_query(" ")).shape == (8,)
    assert server.requests[0]["input"] == ["."]


async def test_too_many_requests_are_tried_again(connect: Connect, server: Server) -> None:
    server.replies = [(429, error_body(), {"retry-after-ms": "10"})]
    assert (await connect(retries=1).embed_query("a")).shape == (8,)
    assert len(server.requests) == 2


async def test_a_lasting_limit_is_reported_with_its_wait(connect: Connect, server: Server) -> None:
    server.replies = [(429, error_body(), {"retry-after": "7"})]
    with pytest.raises(ProviderError, match="429") as raised:
        await connect().embed_query("a")
    assert raised.value.retryable
    assert raised.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (403, False), (404, False), (422, False), (408, True), (500, True), (503, True)],
)
async def test_refusals_name_host_and_reason_and_nothing_else(
    connect: Connect, server: Server, status: int, *, retryable: bool
) -> None:
    server.replies = [(status, error_body(), {})]
    with pytest.raises(ProviderError) as raised:
        await connect().embed_query("my secret diary")
    error = raised.value
    assert error.retryable is retryable
    assert f"127.0.0.1 answered {status}" in error.message
    shown = "".join(traceback.format_exception(error)) + repr(connect())
    assert KEY not in shown
    # the test itself holds the text, so only what the error says is searched
    assert "diary" not in error.message
    assert error.__context__ is None


async def test_errors_of_the_server_end_after_the_retries(connect: Connect, server: Server) -> None:
    server.replies = [(500, error_body(), {"retry-after-ms": "5"})] * 3
    with pytest.raises(ProviderError, match="500"):
        await connect(retries=2).embed_query("a")
    assert len(server.requests) == 3


async def test_another_dimension_than_before_is_refused(connect: Connect, server: Server) -> None:
    embedder = connect()
    await embedder.load()
    server.dimensions = 16
    with pytest.raises(ProviderError, match="16 dimensions, not of 8") as raised:
        await embedder.embed_documents(["a"])
    assert not raised.value.retryable
    assert embedder.dimensions == 8


async def test_another_dimension_than_configured_is_refused(connect: Connect) -> None:
    with pytest.raises(ProviderError, match="8 dimensions, not of 512"):
        await connect(dimensions=512).load()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>welcome</html>",
        {"data": []},
        {"data": "none"},
        {"data": [{"index": 0, "embedding": []}]},
        {"data": [{"index": 0, "embedding": [None, 1.0]}]},
        {"data": [{"index": 0, "embedding": [1e300, 1.0]}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]},
    ],
    ids=["html", "empty", "no-list", "no-numbers", "null", "overflow", "too-many"],
)
async def test_an_unusable_answer_is_a_provider_error(connect: Connect, server: Server, body: object) -> None:
    server.replies = [(200, body, {})]
    embedder = connect()
    with pytest.raises(ProviderError, match=r"127\.0\.0\.1 answered with") as raised:
        await embedder.embed_query("a")
    assert raised.value.retryable  # it may have been cut off on its way
    # and it sets nothing
    await embedder.load()
    assert embedder.dimensions == 8


async def test_an_endpoint_that_is_down_is_worth_another_try(connect: Connect) -> None:
    with pytest.raises(ProviderError, match=r"127\.0\.0\.1 cannot be reached") as raised:
        await connect(url="http://127.0.0.1:9/v1").embed_query("a")
    assert raised.value.retryable


async def test_an_endpoint_that_hangs_is_given_up(connect: Connect, server: Server) -> None:
    server.delay = threading.Event()
    with pytest.raises(ProviderError, match=r"did not answer within 0\.2 s") as raised:
        await connect(timeout=0.2, retries=5).embed_query("a")
    assert raised.value.retryable
    server.delay.set()


async def test_without_a_key_that_of_the_environment_is_not_sent(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody")
    embedder = OpenAIEmbedder(Endpoint(server.url, "local", retries=0))
    await embedder.load()
    await embedder.close()
    assert KEY not in str(server.headers)
    assert "org-of-somebody" not in str(server.headers)


def test_the_key_is_not_printed() -> None:
    assert KEY not in repr(Endpoint("http://localhost/v1", "m", KEY))
