"""The key is checked before the body is read, on every route that takes one."""

import asyncio
import re
from urllib.parse import urlsplit

import pytest

from tests.support.api import Answer, Api, Client

UNKNOWN = "00000000-0000-4000-8000-000000000000"
BROKEN = b'{"broken": '


def root(api: Api) -> str:
    return str(api.http.base_url).removesuffix("/api/openmem/v1/")


async def secured_routes(api: Api) -> list[tuple[str, str]]:
    """Method and path of every route that asks for a key."""
    document = (await api.http.get(f"{root(api)}/openapi.json")).json()
    return [
        (method.upper(), re.sub(r"\{\w+\}", UNKNOWN, path))
        for path, by_method in document["paths"].items()
        for method, operation in by_method.items()
        if "security" in operation
    ]


async def test_without_a_key_no_body_is_looked_at(api: Api) -> None:
    routes = await secured_routes(api)
    assert len(routes) > 30
    for method, path in routes:
        for authorization, code in (("", 40130), ("Token mc-00000000-wrong", 40132)):
            headers = {"Content-Type": "application/json", "Authorization": authorization}
            response = await api.http.request(method, f"{root(api)}{path}", content=BROKEN, headers=headers)
            assert Answer.of(response).code == code, (method, path)


@pytest.mark.parametrize("length", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
async def test_the_answer_does_not_wait_for_the_body(api: Api, length: str) -> None:
    url = urlsplit(str(api.http.base_url))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    head = ("POST /api/openmem/v1/add/message HTTP/1.1", "Host: x", "Content-Type: application/json", length, "", "")
    writer.write("\r\n".join(head).encode())
    answer = await reader.readuntil(b"}")
    writer.close()
    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_the_key_is_asked_for_once_a_request(api: Api, client: Client) -> None:
    def checks() -> float:
        return api.service.registry.get_sample_value("memcubed_authentication_seconds_count") or 0

    before = checks()
    await client.search("x")
    assert checks() == before + 1
