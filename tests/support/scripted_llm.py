"""A scripted OpenAI-compatible server on loopback: no model, no network, the same answer every time.

    with ScriptedServer(json_answer({"memories": []})) as server:
        OpenAIModel(base_url=server.base_url, model="scripted")
        ...
        assert server.chats[0]["messages"][0]["role"] == "system"

A script is a list of answers, used up in order (then the last one is repeated), or a callable from the request's
JSON to an answer. Without a script the server extracts one fact a user turn (`echo_extraction`), so that end-to-end
and chaos tests can run the whole service against it. `/v1/embeddings` gives hash vectors of unit length.
"""

import hashlib
import json
import math
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server does with one request; built by the functions below."""

    text: str | None = None
    finish_reason: str = "stop"
    message: Json = field(default_factory=dict)
    status: int = 200
    body: object = None
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    drops: bool = False
    deltas: tuple[Json, ...] = ()
    holds: bool = False


Script = Callable[[Json], Answer]


def json_answer(data: object) -> Answer:
    """Answer with `data` as the message's text."""
    return Answer(text=json.dumps(data, ensure_ascii=False))


def text_answer(text: str, *, finish_reason: str = "stop") -> Answer:
    """Answer with this text; `finish_reason="length"` says that it was cut."""
    return Answer(text=text, finish_reason=finish_reason)


def stream_answer(*deltas: str | Json, finish_reason: str = "stop") -> Answer:
    """Stream these pieces: strings as content, objects as they are (`{"reasoning_content": "hm"}`)."""
    pieces = tuple({"content": delta} if isinstance(delta, str) else delta for delta in deltas)
    return Answer(deltas=pieces, finish_reason=finish_reason)


def holding(answer: Answer) -> Answer:
    """Stream the pieces of `answer`, then nothing more: the connection stays open until the client closes it."""
    return replace(answer, holds=True)


def breaking_off(answer: Answer) -> Answer:
    """Stream the pieces of `answer`, then close the connection in the middle."""
    return replace(answer, drops=True)


def refusal(reason: str = "I cannot help with that.") -> Answer:
    """Answer as OpenAI does when the model refuses to fill a schema."""
    return Answer(message={"content": None, "refusal": reason})


def status_answer(status: int, body: object = None, *, retry_after: str | None = None) -> Answer:
    """Answer with an HTTP status; `body` is sent as JSON, or as it is when it is bytes."""
    headers = (("Retry-After", retry_after),) if retry_after is not None else ()
    return Answer(status=status, body={"error": {"message": "scripted"}} if body is None else body, headers=headers)


def api_error(status: int, message: str, *, code: str | None = None, param: str | None = None) -> Answer:
    """Answer with an error in OpenAI's form."""
    error = {"message": message, "type": "invalid_request_error", "code": code, "param": param}
    return status_answer(status, {"error": error})


def drop_connection() -> Answer:
    """Close the connection without an answer."""
    return Answer(drops=True)


def after(seconds: float, answer: Answer) -> Answer:
    """Give `answer` only after some time."""
    return replace(answer, delay=seconds)


def refusing(*formats: str, then: Answer | Script) -> Script:
    """Refuse requests whose response_format is of one of these types, in the words of common servers."""

    def script(request: Json) -> Answer:
        asked = (request.get("response_format") or {}).get("type")
        if asked in formats:
            return api_error(400, f"This response_format type {asked} is unavailable now", code="invalid_request_error")
        return then(request) if callable(then) else then

    return script


def echo_extraction(request: Json) -> Answer:
    """Make one fact of each user turn, from the conversation that memcubed's prompt carries; other chats get "ok"."""
    data = prompt_data(request)
    if "turns" not in data:
        return text_answer("ok")
    return json_answer({"memories": [_fact(turn) for turn in data["turns"] if turn["role"] == "user"]})


def echo_everything(request: Json) -> Answer:
    """Echo extraction, believe all feedback against each memory that is shown with it, and stream "Tea." to chats."""
    if request.get("stream"):
        return text_answer("Tea.")
    data = prompt_data(request)
    if "feedback" not in data:
        return echo_extraction(request)
    denied = [memory["id"] for memory in data["memories"]]
    return json_answer({"action": "correct", "contradicted": denied, "corrected": data["feedback"]})


def prompt_data(request: Json) -> Json:
    """The data that a prompt carries between its two marks; nothing when there are none."""
    found = re.search(r"^<<<(\S+)\n(.*)\n\1>>>$", str(request["messages"][-1]["content"]), re.DOTALL | re.MULTILINE)
    data: Json = {} if found is None else json.loads(found.group(2))
    return data


def hash_vector(text: str, dimensions: int) -> list[float]:
    """Make a vector of unit length that depends on the text only."""
    numbers: list[float] = []
    for block in range(math.ceil(dimensions / 32)):
        digest = hashlib.sha256(f"{block}:{text}".encode("utf-8", "replace")).digest()
        numbers.extend(byte / 127.5 - 1.0 for byte in digest)
    numbers = numbers[:dimensions]
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [number / length for number in numbers]


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that arrived."""

    path: str
    headers: dict[str, str]
    body: Json


class ScriptedServer:
    """Serves while used as a context manager, on a free port of 127.0.0.1; `requests` records what arrived.

    `answer_with` changes the script while it runs. `embedding_script` may return an Answer with a status, to make
    embeddings fail, or None for the usual vectors.
    """

    def __init__(
        self,
        script: Answer | Iterable[Answer] | Script = echo_extraction,
        *,
        dimensions: int = 64,
        models: Iterable[str] = ("scripted",),
        embedding_script: Callable[[Json], Answer | None] | None = None,
        port: int = 0,
    ) -> None:
        self.requests: list[RecordedRequest] = []
        self.dimensions = dimensions
        self.models = tuple(models)
        self.embedding_script = embedding_script
        self._lock = threading.Lock()
        self._port = port
        self._in_flight = 0
        self.most_in_flight = 0
        self.streaming = threading.Event()
        """Set when a held stream has begun to wait."""
        self.hung_up = threading.Event()
        """Set when a client closed a held stream."""
        self.answer_with(script)

    @property
    def base_url(self) -> str:
        """The URL to configure, with /v1; the same after stop and start."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def chats(self) -> list[Json]:
        """The bodies of the chat completions asked for, in order."""
        with self._lock:
            return [request.body for request in self.requests if request.path == "/v1/chat/completions"]

    def answer_with(self, script: Answer | Iterable[Answer] | Script) -> None:
        """Use this script from now on."""
        if callable(script):
            self._script: Script = script
            return
        queue = [script] if isinstance(script, Answer) else list(script)
        self._script = lambda _request: queue.pop(0) if len(queue) > 1 else queue[0]

    def start(self) -> Self:
        """Listen; a stopped server takes up the same port again."""
        self._server = _Server(("127.0.0.1", self._port), _Handler)
        self._server.scripted = self
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening: from now on connections are refused."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def respond(self, request: RecordedRequest) -> Answer:
        """Record a request and choose what is answered."""
        with self._lock:
            self.requests.append(request)
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
            answer = self._choose(request)
        time.sleep(answer.delay)
        with self._lock:
            self._in_flight -= 1
        return answer

    def _choose(self, request: RecordedRequest) -> Answer:
        if request.path == "/v1/models":
            return status_answer(
                200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
            )
        if request.path == "/v1/chat/completions":
            return self._script(request.body)
        if request.path == "/v1/embeddings":
            return (self.embedding_script and self.embedding_script(request.body)) or self._embed(request.body)
        return api_error(404, "no such route")

    def _embed(self, body: Json) -> Answer:
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        wanted = int(body.get("dimensions") or self.dimensions)
        data = [
            {"object": "embedding", "index": index, "embedding": hash_vector(str(text), wanted)}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": sum(len(str(text)) for text in texts), "total_tokens": 0}
        return status_answer(200, {"object": "list", "model": body.get("model"), "data": data, "usage": usage})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    scripted: ScriptedServer

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        if not isinstance(sys.exception(), ConnectionError):  # a client may be killed while it asks
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # without these a small answer waits for the client's delayed acknowledgement
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}"))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        pass

    def _serve(self, body: Json) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.scripted.respond(RecordedRequest(self.path, headers, body))
        if body.get("stream") and answer.status == HTTPStatus.OK and answer.body is None:
            self._stream(answer, body)
            return
        if answer.drops:
            self.close_connection = True
            return
        payload = answer.body if answer.body is not None else _chat_completion(answer, body)
        raw = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
        try:
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)
        except ConnectionError:
            self.close_connection = True  # the client did not want to wait for it

    def _stream(self, answer: Answer, body: Json) -> None:
        """Send a chat completion as server-sent events, in the chunked encoding."""
        if answer.drops and not answer.deltas:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for chunk in _chunks(answer, body, whole=not (answer.drops or answer.holds)):
                self._send(f"data: {chunk if isinstance(chunk, str) else json.dumps(chunk)}\n\n".encode())
            if answer.drops:
                self.close_connection = True
                return
            if answer.holds:
                scripted = self.server.scripted
                self.wfile.flush()
                scripted.streaming.set()
                if not self.connection.recv(1):
                    scripted.hung_up.set()
                self.close_connection = True
                return
            self._send(b"")
        except ConnectionError:
            self.server.scripted.hung_up.set()
            self.close_connection = True

    def _send(self, piece: bytes) -> None:
        self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")


def _chunks(answer: Answer, request: Json, *, whole: bool) -> list[Json | str]:
    words = re.findall(r"\s*\S+|\s+$", answer.text or "")
    deltas = answer.deltas or tuple({"content": word} for word in words)
    head = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1, "model": request.get("model")}

    def chunk(delta: Json, finish_reason: str | None = None) -> Json:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}

    chunks: list[Json | str] = [chunk({"role": "assistant"}), *(chunk(delta) for delta in deltas)]
    if not whole:
        return chunks
    chunks.append(chunk({}, answer.finish_reason))
    if (request.get("stream_options") or {}).get("include_usage"):
        chunks.append({**head, "choices": [], "usage": _chat_completion(answer, request)["usage"]})
    return [*chunks, "[DONE]"]


def _chat_completion(answer: Answer, request: Json) -> Json:
    asked = sum(len(str(message.get("content"))) for message in request.get("messages", []))
    said = len(answer.text or "")
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1,
        "model": request.get("model"),
        "choices": [
            {
                "index": 0,
                "finish_reason": answer.finish_reason,
                "message": {"role": "assistant", "content": answer.text, **answer.message},
            }
        ],
        "usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said},
    }


def _fact(turn: Json) -> Json:
    said = " ".join(str(turn["content"]).split())[:200]
    value = f"用户说：“{said}”" if re.search(r"[\u4e00-\u9fff]", said) else f'The user said: "{said}"'
    return {
        "sources": [turn["id"]],
        "kind": "fact",
        "key": said[:24],
        "value": value,
        "reasoning": "",
        "tags": ["scripted"],
        "time": "",
    }
