"""Rerank endpoints on loopback, in the forms of the common servers."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Json = dict[str, Any]
Reply = tuple[int, object, dict[str, str]]
"""Status, body (bytes as they are, else JSON) and headers."""
Score = Callable[[str, str], float]
Form = Callable[[Json, Score], Reply]


def refusal(message: str, status: int = 422) -> Reply:
    return status, message.encode(), {"content-type": "text/plain"}


def cohere(body: Json, score: Score) -> Reply:
    """Cohere, Jina and vLLM: the best first, cut at top_n."""
    scores = [score(body["query"], text) for text in body["documents"]]
    results = [{"index": index, "relevance_score": one} for index, one in enumerate(scores)]
    results.sort(key=lambda result: -float(result["relevance_score"]))
    return 200, {"id": "1", "model": body.get("model"), "results": results[: body["top_n"]], "usage": {}}, {}


def strict_cohere(body: Json, score: Score) -> Reply:
    """An endpoint that refuses what it does not know."""
    if "return_documents" in body:
        return 400, {"message": "invalid request: unknown field: return_documents"}, {}
    return cohere(body, score)


def tei(body: Json, score: Score) -> Reply:
    """Text Embeddings Inference: `texts`, 32 of them at most, and a bare list."""
    if "texts" not in body:
        return refusal(
            "Failed to deserialize the JSON body into the target type: missing field `texts` at line 1 column 99"
        )
    if len(body["texts"]) > 32:
        return refusal(f"batch size {len(body['texts'])} > maximum allowed batch size 32", 413)
    ranks = [{"index": index, "score": score(body["query"], text)} for index, text in enumerate(body["texts"])]
    return 200, sorted(ranks, key=lambda rank: -float(rank["score"])), {}


class RerankServer:
    """Serves while used as a context manager; `requests` and `headers` record what arrived.

    `replies` come first, then those of `form` with the scores of `score`. With `hangs` no answer ever comes.
    """

    def __init__(self, score: Score, *, form: Form = cohere) -> None:
        self.score = score
        self.form = form
        self.replies: list[Reply] = []
        self.requests: list[Json] = []
        self.headers: list[dict[str, str]] = []
        self.hangs = False
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.state = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def respond(self, body: Json) -> Reply:
        if self.hangs:
            self.released.wait()
        return self.replies.pop(0) if self.replies else self.form(body, self.score)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    state: RerankServer

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that has given up is part of a test."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"
    # without these a small answer waits for the client's delayed acknowledgement
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        state = self.server.state
        state.requests.append(body | {"path": self.path})
        state.headers.append({name.lower(): value for name, value in self.headers.items()})
        status, content, headers = state.respond(body)
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in ({"content-type": "application/json"} | headers).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
