from importlib.metadata import version

import pytest

from memcubed.bootstrap import DatabaseUrls
from memcubed.store.migrate import head_revision
from tests.conftest import StartService
from tests.support.api import Api, Client, eventually
from tests.support.databases import execute
from tests.support.rerank_server import RerankServer
from tests.support.scripted_llm import Answer, Json, ScriptedServer, api_error, echo_extraction
from tests.support.settings import llm_settings, make_settings

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


PARTS = {
    "database": "it answers",
    "schema": f"at revision {head_revision()}, as this release needs",
    "queue": None,
    "embeddings": "needs no endpoint",
    "llm": "needs no endpoint",
}


async def parts(api: Api) -> tuple[int, str, dict[str, tuple[str, str]]]:
    response = await api.http.get(f"{root(api)}/health/ready")
    body = response.json()
    return response.status_code, body["status"], {name: tuple(part.values()) for name, part in body["parts"].items()}


async def test_health_needs_no_key_and_names_what_runs(api: Api) -> None:
    live = await api.http.get(f"{root(api)}/health/live")
    assert (live.status_code, live.json()) == (200, RUNNING)
    for path in ("/health", "/health/ready"):
        response = await api.http.get(f"{root(api)}{path}")
        body = response.json()
        found = body.pop("parts")
        assert (response.status_code, body) == (200, RUNNING)
        assert list(found) == list(PARTS)
        assert {part["status"] for part in found.values()} == {"ok"}
        assert all(part["reason"] == PARTS[name] for name, part in found.items() if PARTS[name] is not None)


async def test_a_queue_that_nobody_works_on_is_degraded_and_a_waiting_one_is_not(
    start: StartService, database: DatabaseUrls
) -> None:
    async with start(make_settings(queue_age_seconds=60), urls=database, worker=False) as api:
        assert (await parts(api))[2]["queue"] == ("ok", "no job is waiting")
        await (await api.client()).add("I live in Oslo.")

        async def queue(*words: str) -> bool:
            status, whole, found = await parts(api)
            return status == 200 and whole == found["queue"][0] and all(word in found["queue"][1] for word in words)

        await eventually(lambda: queue("the oldest job has waited"))
        execute(database, "UPDATE procrastinate_events SET at = at - interval '90 s'")
        await eventually(lambda: queue("the oldest job has waited 9", "does a worker run"))
        # such as when its project's budget is spent: what is behind it waits as well
        await (await api.client()).add("I live in Bergen.")
        execute(database, "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 h', lock = 'one'")
        execute(
            database,
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock) VALUES ('default', 'behind', 'one')",
        )
        await eventually(lambda: queue("no job is waiting"))


async def test_another_schema_is_unavailable_and_a_newer_one_degraded(
    start: StartService, database: DatabaseUrls
) -> None:
    async with start(urls=database, worker=False) as api:
        for revision, change, expected in (
            ("0001", "UPDATE alembic_version SET version_num = '0001'", (503, "unavailable", "unavailable")),
            ("9999", "UPDATE alembic_version SET version_num = '9999'", (200, "degraded", "degraded")),
        ):
            execute(database, change)

            async def seen(revision: str = revision, expected: tuple[int, str, str] = expected) -> bool:
                status, whole, found = await parts(api)
                return (status, whole, found["schema"][0]) == expected and f"revision {revision}" in found["schema"][1]

            await eventually(seen)


async def test_an_endpoint_is_shown_as_its_last_call_went_and_is_not_called_for_it(start: StartService) -> None:
    is_down = False

    def script(request: Json) -> Answer:
        return api_error(500, "a secret") if is_down else echo_extraction(request)

    with ScriptedServer(script) as server:
        async with start(llm_settings(server, task_attempts=1)) as api:
            assert (await parts(api))[2]["llm"] == ("ok", "not called by this process yet")
            client = await api.client()
            await client.finished((await client.add("I live in Oslo."))["task_id"])

            async def llm(state: str, words: str) -> bool:
                status, whole, found = await parts(api)
                return status == 200 and (whole, found["llm"][0]) == (state, state) and words in found["llm"][1]

            await eventually(lambda: llm("ok", "answered "))
            is_down = True
            await client.finished((await client.add("I live in Bergen."))["task_id"])
            await eventually(lambda: llm("degraded", "failed "))
            asked = len(server.requests)
            _, _, found = await parts(api)
            assert "a secret" not in found["llm"][1]
            assert len(server.requests) == asked


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_reranker_that_fails_or_is_slow_is_degraded_and_none_is_no_part(
    start: StartService, *, hangs: bool
) -> None:
    with RerankServer(lambda *_: 0.5) as server:
        settings = make_settings(rerank_base_url=server.url, rerank_timeout_seconds=0.3 if hangs else 30)
        async with start(settings) as api:
            assert (await parts(api))[2]["reranker"] == ("ok", "not called by this process yet")
            client = await api.client()
            await client.finished((await client.add("I live in Oslo."))["task_id"])
            server.hangs = hangs
            if not hangs:
                server.replies.append((500, {"secret": "words"}, {}))
            assert await client.values("Oslo")

            async def reranker(state: str, words: str) -> bool:
                status, whole, found = await parts(api)
                return (status, whole, found["reranker"][0]) == (200, state, state) and words in found["reranker"][1]

            await eventually(lambda: reranker("degraded", "no answer within 0.3 s" if hangs else "answered 500"))
            if not hangs:
                assert await client.values("Oslo")
                await eventually(lambda: reranker("ok", "answered "))
            asked = len(server.requests)
            await parts(api)
            assert len(server.requests) == asked


async def test_a_vision_model_is_shown_as_its_last_call_went(start: StartService) -> None:
    with ScriptedServer(api_error(401, "a secret")) as server:
        async with start(make_settings(vision_model="eyes", vision_base_url=server.base_url)) as api:
            assert (await parts(api))[2]["vision"] == ("ok", "not called by this process yet")
            client = await api.client()
            image = {
                "type": "image_url",
                "image_url": {"url": "data:image/png;base64,iVBORw0KGgoAAAAAAAAAAAAAAAAAAAA="},
            }
            await client.finished((await client.add({"role": "user", "content": [image]}))["task_id"])

            async def is_degraded() -> bool:
                status, whole, found = await parts(api)
                return (status, whole, found["vision"][0]) == (200, "degraded", "degraded")

            await eventually(is_degraded)
            assert "a secret" not in (await parts(api))[2]["vision"][1]


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
