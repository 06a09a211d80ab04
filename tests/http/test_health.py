from importlib.metadata import version

from tests.support.api import Api, Client

RUNNING = {
    "status": "ok",
    "version": version("memcubed"),
    "extractor": "local",
    "embeddings": "hash-256@1",
    "database": "external",
    "worker": True,
}


def root(api: Api) -> str:
    return str(api.http.base_url).removesuffix("/api/openmem/v1/")


async def test_health_needs_no_key_and_names_what_runs(api: Api) -> None:
    for path in ("/health", "/health/ready", "/health/live"):
        response = await api.http.get(f"{root(api)}{path}")
        assert response.status_code == 200
        assert response.json() == RUNNING


async def test_metrics_count_requests_by_route_and_hold_no_ids(api: Api, client: Client) -> None:
    await client.add("hello", user="secret-user-7")
    await client.send("/no/route/secret-user-7", {})
    response = await api.http.get(f"{root(api)}/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    lines = response.text.splitlines()
    assert any(
        line.startswith('memcubed_http_requests_total{method="POST"') and '/add/message",status="200"' in line
        for line in lines
    )
    assert 'route="unknown"' in response.text
    assert "secret-user-7" not in response.text


async def test_every_answer_has_the_id_of_its_request(client: Client) -> None:
    given = await client.send("/search/memory", {"user_id": "u", "query": "x"}, X_Request_ID="trace-1")
    assert given.headers["x-request-id"] == "trace-1"
    refused = await client.send("/search/memory", {})
    assert len(refused.headers["x-request-id"]) == 32
    long = await client.send("/search/memory", {}, X_Request_ID="x" * 101)
    assert len(long.headers["x-request-id"]) == 32


async def test_the_openapi_document_describes_every_route(api: Api) -> None:
    response = await api.http.get(f"{root(api)}/openapi.json")
    paths = response.json()["paths"]
    for path in ("/add/message", "/get/message", "/get/status", "/search/memory"):
        assert "examples" in str(paths[f"/api/openmem/v1{path}"]) or response.json()["components"]["schemas"]
