from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.support.api import Answer, Api, Client

ROUTES = ("/add/message", "/get/message", "/get/status", "/search/memory")


async def asked(client: Client, authorization: str | None, path: str = "/search/memory") -> Answer:
    headers = {} if authorization is None else {"Authorization": authorization}
    return Answer.of(await client.http.post(path, json={"user_id": "u", "query": "x"}, headers=headers))


@pytest.mark.parametrize("path", ROUTES)
async def test_without_a_key_nothing_is_answered(client: Client, path: str) -> None:
    answer = await asked(client, None, path)
    assert (answer.status, answer.code) == (401, 40130)
    assert "Authorization: Token" in answer.message
    assert answer.headers["www-authenticate"] == "Token"


@pytest.mark.parametrize("header", ["", "Token", "Basic dTpw", "Bearer", "token\tx"])
async def test_a_header_without_a_key_is_no_key(client: Client, header: str) -> None:
    answer = await asked(client, header)
    assert (answer.status, answer.code) == (401, 40130)


@pytest.mark.parametrize("path", ROUTES)
async def test_a_wrong_key_is_refused_everywhere(client: Client, path: str) -> None:
    answer = await asked(client, "Token mc-00000000-wrong", path)
    assert (answer.status, answer.code) == (401, 40132)


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key[:-1],
        lambda key: key + "x",
        lambda key: key.upper(),
        lambda key: key.rsplit("-", 1)[0],
        lambda key: key + " " + key,
        lambda _: "'; DROP TABLE projects; --",
        lambda _: "é" * 50,
        lambda _: "x" * 8000,
    ],
    ids=["cut", "longer", "capitals", "prefix", "twice", "SQL", "accents", "long"],
)
async def test_what_is_not_the_key_is_refused(client: Client, change: Callable[[str], str]) -> None:
    header = f"Token {change(client.key)}".encode("latin-1")
    response = await client.http.post(
        "/search/memory", json={"user_id": "u", "query": "x"}, headers=[(b"Authorization", header)]
    )
    answer = Answer.of(response)
    assert (answer.status, answer.code) == (401, 40132)


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "token", "BEARER", "Token  "])
async def test_token_and_bearer_are_both_taken(client: Client, scheme: str) -> None:
    assert (await asked(client, f"{scheme} {client.key}")).code == 0


async def test_the_key_is_asked_for_before_the_fields(client: Client) -> None:
    response = await client.http.post("/add/message", json={"messages": []}, headers={"Authorization": "Token wrong"})
    assert Answer.of(response).code == 40132


async def test_a_revoked_key_is_refused_at_once(api: Api) -> None:
    name = f"revoking {uuid4()}"
    kept, revoked = await api.client(name), await api.client(name)
    await revoked.add("I work in Oslo.")
    await api.service.projects.revoke_key(name, revoked.key[:11])
    answer = await revoked.send("/search/memory", {"user_id": "u", "query": "Oslo"})
    assert (answer.status, answer.code) == (401, 40132)
    assert await kept.values("Oslo")


async def test_an_expired_key_is_refused(api: Api) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    key = await api.service.projects.create_key("expiring", timezone="UTC", expires_at=past)
    answer = await Client(api.http, key).send("/search/memory", {"user_id": "u", "query": "x"})
    assert (answer.status, answer.code) == (401, 40132)


async def test_a_key_that_is_still_to_expire_is_taken(api: Api) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    key = await api.service.projects.create_key("expiring", timezone="UTC", expires_at=soon)
    await Client(api.http, key).search("x")
