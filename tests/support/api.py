"""The API as its clients meet it: over HTTP, every answer in the envelope."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

import httpx
import uvicorn
from pydantic import SecretStr

from memcubed.bootstrap import DatabaseUrls, Service, create_http
from memcubed.http.server import create_server, open_socket, server_started
from memcubed.providers.embeddings import Embedder
from memcubed.settings import Settings
from memcubed.welcome import base_url

Json = dict[str, Any]

PATIENCE_SECONDS = 60.0
"""How long a test waits for something that should come at once; only a broken build ever waits that long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose shape has been checked to be the envelope."""

    status: int
    code: int
    message: str
    data: Any
    headers: Mapping[str, str]

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        body = response.json()
        assert set(body) == {"code", "message", "data"}, body
        assert type(body["code"]) is int, body
        assert isinstance(body["message"], str), body
        assert body["message"], body
        assert (body["code"] == 0) == (response.status_code == 200), (response.status_code, body)
        assert body["code"] == 0 or body["data"] is None, body
        return cls(response.status_code, body["code"], body["message"], body["data"], response.headers)


class Client:
    """One project's key in use."""

    def __init__(self, http: httpx.AsyncClient, key: str) -> None:
        self.http = http
        self.key = key

    async def send(self, path: str, body: object, **headers: str) -> Answer:
        """Post a body; the answer, whichever it is."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {
            "Authorization": f"Token {self.key}",
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return Answer.of(await self.http.post(path, content=content, headers=sent))

    async def post(self, path: str, body: object, **headers: str) -> Any:  # noqa: ANN401 - JSON
        """Post a body; the data of an answer that must be a success."""
        answer = await self.send(path, body, **headers)
        assert answer.code == 0, answer
        return answer.data

    async def add(self, *said: str | Json, user: str | None = "u", **more: object) -> Json:
        """Add a conversation: strings are said by the user, the assistant and so on in turn."""
        roles = ("user", "assistant")
        messages = [
            {"role": roles[index % 2], "content": message} if isinstance(message, str) else message
            for index, message in enumerate(said)
        ]
        owner = {} if user is None else {"user_id": user}
        data: Json = await self.post("/add/message", {**owner, "messages": messages, **more})
        return data

    async def status(self, task_id: str) -> Json:
        data: Json = await self.post("/get/status", {"task_id": task_id})
        return data

    async def finished(self, task_id: str) -> Json:
        """The task once it is no longer running."""

        async def ended() -> Json | None:
            data = await self.status(task_id)
            return None if data["status"] == "running" else data

        done: Json = await eventually(ended)
        return done

    async def search(self, query: str, *, user: str | None = "u", **more: object) -> Json:
        """Search without a threshold, so that only what is there decides."""
        owner = {} if user is None else {"user_id": user}
        data: Json = await self.post("/search/memory", {"query": query, "relativity": 0, **owner, **more})
        return data

    async def values(self, query: str, **more: Any) -> list[str]:  # noqa: ANN401 - passed on
        """The facts that a search finds."""
        return [memory["memory_value"] for memory in (await self.search(query, **more))["memory_detail_list"]]

    async def messages(self, conversation: str = "default", *, user: str = "u", limit: int = 50) -> list[Json]:
        body = {"user_id": user, "conversation_id": conversation, "message_limit_number": limit}
        found: list[Json] = (await self.post("/get/message", body))["message_detail_list"]
        return found


async def eventually(probe: Callable[[], Awaitable[Any]], *, seconds: float = PATIENCE_SECONDS) -> Any:  # noqa: ANN401 - what the probe gives
    """What the probe gives, once that is neither None nor False."""
    deadline = time.monotonic() + seconds
    while True:
        found = await probe()
        if found is not None and found is not False:
            return found
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {probe}"
        await asyncio.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Api:
    """A service that runs in this process, behind a real port."""

    service: Service
    urls: DatabaseUrls
    http: httpx.AsyncClient

    async def client(self, project: str | None = None) -> Client:
        """A key of a project, by default of a new one."""
        name = project or f"project {uuid4().hex}"
        key = await self.service.projects.create_key(name, timezone=self.service.settings.default_timezone)
        return Client(self.http, key)


async def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    try:
        await server.serve(sockets=[listener])
    except SystemExit as error:  # which would end pytest
        raise RuntimeError("the service did not start; see what it logged") from error


@asynccontextmanager
async def serving(
    settings: Settings, urls: DatabaseUrls, *, embedder: Embedder | None = None, worker: bool = True
) -> AsyncIterator[Api]:
    """The whole service, until the end of the block."""
    # not as the bundled one, which a service would start in the user's home when it is gone
    service = Service(settings.model_copy(update={"database_url": SecretStr(urls.service)}), urls, embedder=embedder)
    with open_socket("127.0.0.1", 0) as listener:
        server = create_server(create_http(service, with_worker=worker))
        # several servers run in one test session, and none of them is to take pytest's Ctrl-C
        server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]
        running = asyncio.create_task(_run(server, listener))
        await server_started(server, running)
        try:
            if not server.started:
                await running
            async with httpx.AsyncClient(base_url=base_url(listener), timeout=PATIENCE_SECONDS) as http:
                yield Api(service, urls, http)
        finally:
            server.should_exit = True
            await running
