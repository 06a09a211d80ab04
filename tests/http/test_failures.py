"""What nobody thought of is told in the envelope, with the request's id and no trace; the log has that."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from starlette.responses import StreamingResponse
from structlog.testing import capture_logs

from memcubed.http.app import BASE_PATH, Edge, create_app
from memcubed.tracing import NoTracing
from tests.support.api import Answer


@asynccontextmanager
async def nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


def broken_app() -> FastAPI:
    router = APIRouter()

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a secret of the code")

    @router.get("/half")
    async def half() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("a secret of the code")

        return StreamingResponse(parts())

    return create_app(
        version="0",
        routers=[router],
        admin=APIRouter(),
        health=APIRouter(),
        lifespan=nothing,
        registry=CollectorRegistry(),
        tracing=NoTracing(),
        edge=Edge(max_request_bytes=1000, max_upload_bytes=1000),
    )


async def test_an_unexpected_error_is_answered_without_its_trace() -> None:
    transport = httpx.ASGITransport(broken_app())
    async with httpx.AsyncClient(transport=transport, base_url=f"http://x{BASE_PATH}") as http:
        with capture_logs() as logs:
            response = await http.get("/broken", headers={"X-Request-Id": "the-broken-one"})
    answer = Answer.of(response)
    assert (answer.status, answer.code) == (500, 50000)
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert answer.headers["x-request-id"] == "the-broken-one"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert [line["event"] for line in logs if line.get("exc_info")] == ["request_failed"]


async def test_an_answer_that_had_begun_breaks_off() -> None:
    transport = httpx.ASGITransport(broken_app())
    async with httpx.AsyncClient(transport=transport, base_url=f"http://x{BASE_PATH}") as http:
        with pytest.raises(RuntimeError):
            await http.get("/half")
