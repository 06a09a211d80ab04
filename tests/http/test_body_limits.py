"""Bodies over the limit are refused before they are read, however they are sent."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from tests.conftest import StartService
from tests.support.api import Answer, Api, Client
from tests.support.settings import make_settings

LIMIT = 10_000
MEGABYTES_200 = 200_000_000


def body_of(length: int) -> bytes:
    body = json.dumps({"user_id": "u", "query": "x", "source": ""}).encode()
    return body.replace(b'"source": ""', b'"source": "' + b"x" * (length - len(body)) + b'"')


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]


async def test_the_limit_is_exact(start: StartService) -> None:
    async with start(make_settings(max_request_bytes=LIMIT), worker=False) as api:
        client = await api.client()
        assert len(body_of(LIMIT)) == LIMIT
        assert (await client.send("/search/memory", body_of(LIMIT))).code == 0
        answer = await client.send("/search/memory", body_of(LIMIT + 1))
        assert (answer.status, answer.code) == (413, 40301)
        assert str(LIMIT) in answer.message

        headers = {"Authorization": f"Token {client.key}", "Content-Type": "application/json"}
        within = await client.http.post("/search/memory", content=chunks(body_of(LIMIT)), headers=headers)
        assert Answer.of(within).code == 0
        beyond = Answer.of(
            await client.http.post("/search/memory", content=chunks(body_of(LIMIT + 1)), headers=headers)
        )
        assert (beyond.status, beyond.code) == (413, 40301)


async def talk(api: Api, head: str, *parts: bytes) -> bytes:
    """Send a request's head and then some of its body; what is answered while the rest is never sent."""
    url = urlsplit(str(api.http.base_url))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    for part in parts:
        writer.write(part)
    await writer.drain()
    answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return answer


def head(client: Client, *more: str) -> str:
    lines = [
        "POST /api/openmem/v1/add/message HTTP/1.1",
        "Host: localhost",
        f"Authorization: Token {client.key}",
        "Content-Type: application/json",
        *more,
    ]
    return "\n".join(lines)


async def test_200_megabytes_are_refused_without_being_read(api: Api, client: Client) -> None:
    answer = await talk(api, head(client, f"Content-Length: {MEGABYTES_200}"))
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_body_without_a_length_is_refused_when_it_gets_too_long(api: Api, client: Client) -> None:
    limit = api.service.settings.max_request_bytes
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    answer = await talk(api, head(client, "Transfer-Encoding: chunked"), *[chunk] * (limit // 0x100000 + 1))
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_client_that_asks_first_is_told_no(api: Api, client: Client) -> None:
    answer = await talk(api, head(client, f"Content-Length: {MEGABYTES_200}", "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("line", ["Content-Length: -1", "Content-Length: many", "Content-Length: 1\nContent-Length: 2"])
async def test_a_length_that_is_none_is_refused(api: Api, client: Client, line: str) -> None:
    assert (await talk(api, head(client, line))).startswith(b"HTTP/1.1 400 ")


async def test_a_client_that_gives_up_half_way_does_no_harm(api: Api, client: Client) -> None:
    url = urlsplit(str(api.http.base_url))
    _, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write((head(client, "Content-Length: 1000").replace("\n", "\r\n") + '\r\n\r\n{"user').encode())
    await writer.drain()
    writer.close()
    assert (await client.send("/search/memory", {"user_id": "u", "query": "x"})).code == 0


@pytest.mark.parametrize(
    ("authorization", "length", "status"), [("", 15_000_000, 401), ("ours", 40_000_000, 413), ("", 40_000_000, 401)]
)
@pytest.mark.parametrize("connection", ["close", "keep-alive"])
async def test_a_client_that_sends_all_before_it_reads_gets_the_answer(
    api: Api, client: Client, authorization: str, length: int, status: int, connection: str
) -> None:
    lines = [
        "POST /api/openmem/v1/add/message HTTP/1.1",
        "Host: localhost",
        f"Authorization: {authorization and f'Token {client.key}'}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        f"Connection: {connection}",
    ]
    url = urlsplit(str(api.http.base_url))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write("\r\n".join([*lines, "", ""]).encode())
    for _ in range(length // 1_000_000):
        writer.write(b"x" * 1_000_000)
        await writer.drain()
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    length_header = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    body = json.loads(await reader.readexactly(int(length_header.split(b":")[1])))
    assert body["data"] is None
    if length == 40_000_000 or connection == "close":
        assert await reader.read() == b""
    writer.close()
