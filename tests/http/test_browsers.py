"""What browsers are told: security headers on every answer, other origins only by permission, pages only if wanted."""

import re

import pytest
from starlette.datastructures import Headers

from tests.conftest import StartService
from tests.support.api import Api, Client
from tests.support.settings import make_settings

OURS = "https://app.example.com"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "Authorization, Content-Type"}


def root(api: Api) -> str:
    return str(api.http.base_url).removesuffix("/api/openmem/v1/")


@pytest.mark.parametrize(
    "path", ["/api/openmem/v1/ping", "/api/openmem/v1/search/memory", "/nowhere", "/health/ready", "/metrics", "/docs"]
)
async def test_every_answer_is_guarded(api: Api, path: str) -> None:
    headers = (await api.http.get(f"{root(api)}{path}")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


async def test_answers_of_success_are_guarded_once(client: Client) -> None:
    response = await client.http.post(
        "/search/memory", json={"user_id": "u", "query": "x"}, headers={"Authorization": f"Token {client.key}"}
    )
    assert response.status_code == 200
    for name in ("cache-control", "content-security-policy", "x-request-id"):
        assert len(response.headers.get_list(name)) == 1
    assert response.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_the_pages_may_load_what_they_load(api: Api, page: str) -> None:
    response = await api.http.get(f"{root(api)}{page}")
    policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
    assert "'self'" in policy["script-src"]
    inline = re.findall(r"<(script|style)(?![^>]*src=)[^>]*>\s*\S", response.text)
    for kind in inline:
        assert "'unsafe-inline'" in policy[f"{kind}-src"]
    for address in re.findall(r'(?:src|href)="([^"]+)"', response.text):
        asset = await api.http.get(f"{root(api)}{address}")
        assert asset.headers["x-content-type-options"] == "nosniff"
        assert "javascript" in asset.headers["content-type"] or not address.endswith(".js")


async def test_no_other_origin_may_call_by_default(api: Api, client: Client) -> None:
    preflight = await api.http.options("/search/memory", headers={"Origin": OURS, **PREFLIGHT})
    assert preflight.status_code == 405
    answer = await client.send("/search/memory", {"user_id": "u", "query": "x"}, Origin=OURS)
    for headers in (preflight.headers, answer.headers):
        assert not [name for name in headers if name.startswith("access-control-")]


async def test_only_the_origins_that_are_named_may_call(start: StartService) -> None:
    settings = make_settings(cors_origins=f"{OURS}, http://localhost:3000", max_request_bytes=1000)
    async with start(settings, worker=False) as api:
        client = await api.client()
        for origin, is_let_in in ((OURS, True), ("http://localhost:3000", True), ("https://evil.example.com", False)):
            preflight = await api.http.options("/search/memory", headers={"Origin": origin, **PREFLIGHT})
            assert (preflight.status_code == 200) == is_let_in
            assert (preflight.headers.get("access-control-allow-origin") == origin) == is_let_in
            for body in ({"user_id": "u", "query": "x"}, {}, {"query": "x" * 2000}):
                headers = Headers((await client.send("/search/memory", body, Origin=origin)).headers)
                assert (headers.get("access-control-allow-origin") == origin) == is_let_in
        answer = await client.send("/search/memory", {"user_id": "u", "query": "x"}, Origin=OURS)
        assert "Retry-After" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers


async def test_the_pages_can_be_left_out(start: StartService) -> None:
    async with start(make_settings(api_docs=False), worker=False) as api:
        for path in ("/docs", "/redoc", "/openapi.json", "/static-offline-docs/swagger-ui.css"):
            assert (await api.http.get(f"{root(api)}{path}")).status_code == 404
        await (await api.client()).search("x")
