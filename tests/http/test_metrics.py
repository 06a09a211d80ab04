"""The metrics of a running service: what was done, what waits, and how the parts are used."""

import re
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from memcubed.bootstrap import DatabaseUrls, Service, create_http
from memcubed.clock import utc_now
from memcubed.memories.model import MemoryKind
from memcubed.production.shares import Receipts, ShareService
from memcubed.projects.refusals import Limit
from memcubed.providers.embeddings.scripted import HashEmbedder
from memcubed.usage.service import UsageService
from tests.conftest import StartService
from tests.support.api import Api, eventually
from tests.support.databases import execute, query
from tests.support.process import database_settings, environment, working
from tests.support.scripted_llm import Answer, Json, ScriptedServer, api_error, echo_extraction
from tests.support.settings import llm_settings, make_settings

LABELS = {
    *("method", "route", "status", "stage", "job", "end", "state", "kind", "provider", "purpose", "direction", "limit"),
    *("reason", "le", "part"),
}
"""Each with as many values as there are routes, kinds and the like: nothing that a client can choose."""


async def samples(api: Api) -> dict[str, float]:
    root = str(api.http.base_url).removesuffix("/api/openmem/v1/")
    lines = (await api.http.get(f"{root}/metrics")).text.splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


async def test_ends_of_tasks_memories_and_model_calls_are_counted(start: StartService) -> None:
    def script(request: Json) -> Answer:
        return api_error(400, "no") if "Narvik" in str(request["messages"]) else echo_extraction(request)

    with ScriptedServer(script) as server:
        async with start(llm_settings(server, task_attempts=1)) as api:
            client = await api.client()
            for said in ("I live in Oslo.", "I live in Narvik."):
                await client.finished((await client.add(said))["task_id"])

            async def counted() -> bool:
                seen = await samples(api)
                return (
                    seen.get('memcubed_task_parts_total{end="completed"}') == 1
                    and seen.get('memcubed_task_parts_total{end="failed"}') == 1
                    and sum(count for name, count in seen.items() if name.startswith("memcubed_memories_total")) >= 1
                    and seen.get('memcubed_provider_failures_total{provider="llm"}', 0) >= 1
                    and seen.get('memcubed_provider_seconds_count{provider="llm"}', 0) >= 2
                    and seen.get('memcubed_jobs_total{end="done",job="production.run_share"}') == 1
                    and seen.get('memcubed_jobs_total{end="failed",job="production.run_share"}') == 1
                    and seen["memcubed_worker_last_job_timestamp_seconds"] > 1e9
                )

            await eventually(counted)


async def test_nothing_to_extract_is_an_end_of_its_own(start: StartService) -> None:
    async with start() as api:
        client = await api.client()
        await client.finished((await client.add("ok"))["task_id"])
        assert (await samples(api))['memcubed_task_parts_total{end="nothing"}'] == 1


async def test_an_end_that_is_rolled_back_is_not_counted(start: StartService) -> None:
    async with start(worker=False) as api:
        task = UUID((await (await api.client()).add("I live in Oslo."))["task_id"])
        database, registry = api.service.database, CollectorRegistry()
        usage = UsageService(database, registry, utc_now, daily_token_budget=0)
        shares = ShareService(database, utc_now, Receipts(registry, usage))
        ((project, cube),) = query(api.urls.owner, "SELECT project_id, cube_id FROM task_shares")
        share = await shares.find_running(project, cube, task)
        assert share is not None

        async def end(*, fails: bool) -> None:
            async with database.transaction(project) as connection:
                await shares.complete(connection, share, memories={MemoryKind.FACT: 2}, reason=None)
                assert registry.get_sample_value("memcubed_memories_total", {"kind": "fact"}) == 0
                if fails:
                    raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await end(fails=True)
        async with database.transaction(project):  # most likely on the same connection
            pass
        assert registry.get_sample_value("memcubed_task_parts_total", {"end": "completed"}) == 0
        await end(fails=False)
        assert registry.get_sample_value("memcubed_task_parts_total", {"end": "completed"}) == 1
        assert registry.get_sample_value("memcubed_memories_total", {"kind": "fact"}) == 2


async def test_what_waits_is_seen_with_its_age_and_so_is_the_pool(start: StartService, database: DatabaseUrls) -> None:
    async with start(make_settings(), urls=database, worker=False) as api:
        await (await api.client()).add("I live in Oslo.")

        async def waiting() -> bool:
            seen = await samples(api)
            return seen.get('memcubed_queue_jobs{job="production.run_share",state="due"}') == 1

        await eventually(waiting)
        seen = await samples(api)
        assert seen['memcubed_queue_oldest_due_seconds{job="production.run_share"}'] >= 0
        assert seen["memcubed_workers"] == 0
        assert seen['memcubed_database_connections{state="idle"}'] >= 1
    async with start(make_settings(), urls=database) as api:

        async def worked() -> bool:
            seen = await samples(api)
            return seen["memcubed_workers"] == 1 and not any("run_share" in name and "queue" in name for name in seen)

        await eventually(worked)


async def test_what_is_exposed_is_what_prometheus_expects(start: StartService) -> None:
    async with start() as api:
        client = await api.client()
        await client.finished((await client.add("I live in Oslo."))["task_id"])
        await client.values("Oslo")
        root = str(api.http.base_url).removesuffix("/api/openmem/v1/")
        for method in ("BREW", "PROPFIND"):
            for path in ("/health", "/nowhere", "/api/openmem/v1/search/memory"):
                assert (await api.http.request(method, f"{root}{path}")).status_code in {400, 404, 405}
        families = list(text_string_to_metric_families((await api.http.get(f"{root}/metrics")).text))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    for family in families:
        assert family.name.startswith("memcubed_")
        assert family.documentation.endswith(".")
        assert family.type in {"counter", "gauge", "histogram"}
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        for sample in family.samples:
            assert family.type != "counter" or sample.name.endswith(("_total", "_created"))
            assert set(sample.labels) <= LABELS, sample
            assert sample.labels.get("method", "any") in {"any", "GET", "POST", "PATCH", "DELETE"}, sample
            assert not re.search(r"[0-9a-f]{8}-|BREW|Oslo", str(sample.labels)), sample


async def test_failures_are_counted_from_zero(start: StartService) -> None:
    async with start() as api:

        async def works() -> bool:
            return 'memcubed_jobs_total{end="failed",job="production.run_share"}' in await samples(api)

        await eventually(works)
        root = str(api.http.base_url).removesuffix("/api/openmem/v1/")
        text = (await api.http.get(f"{root}/metrics")).text
        client = await api.client()
        await client.add("I live in Oslo.")
        answered = {
            (sample.labels["method"], sample.labels["route"])
            for family in text_string_to_metric_families((await api.http.get(f"{root}/metrics")).text)
            for sample in family.samples
            if sample.name == "memcubed_http_requests_total" and sample.value
        }
    found = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    def is_zero(name: str, **labels: str) -> bool:
        return found.get((name, tuple(sorted(labels.items())))) == 0

    assert len(answered) > 1
    for method, route in answered:
        for status in ("500", "503"):
            assert is_zero("memcubed_http_requests_total", method=method, route=route, status=status), route
    for end in ("completed", "nothing", "failed"):
        assert is_zero("memcubed_task_parts_total", end=end)
    for provider in ("llm", "embeddings", "vision", "reranker", "rewriting"):
        assert is_zero("memcubed_provider_failures_total", provider=provider)
    for limit in Limit:
        assert is_zero("memcubed_limit_refusals_total", limit=limit)
    for kind in MemoryKind:
        assert is_zero("memcubed_memories_total", kind=kind)
    for end in ("failed", "put_off"):
        assert is_zero("memcubed_jobs_total", job="production.run_share", end=end)
    assert is_zero("memcubed_budget_refusals_total")


async def test_parts_are_a_gauge(start: StartService, database: DatabaseUrls) -> None:
    async with start(urls=database, worker=False) as api:
        execute(database, "UPDATE alembic_version SET version_num = '9999'")
        seen = await samples(api)
    parts = {name: value for name, value in seen.items() if name.startswith("memcubed_part_status")}
    assert parts == {
        f'memcubed_part_status{{part="{part}"}}': 0.5 if part == "schema" else 1
        for part in ("database", "schema", "queue", "embeddings", "llm")
    }


async def test_without_the_database_the_parts_say_so() -> None:
    nowhere = DatabaseUrls("postgresql://nobody@127.0.0.1:1/none", "postgresql://nobody@127.0.0.1:1/none")
    application = create_http(Service(make_settings(), nowhere, embedder=HashEmbedder()), with_worker=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://one") as http:
        response = await http.get("/metrics")
    lines = response.text.splitlines()
    assert response.status_code == 200
    for part in ("database", "schema", "queue"):
        assert f'memcubed_part_status{{part="{part}"}} 0.0' in lines
    assert 'memcubed_part_status{part="llm"} 1.0' in lines
    assert not any(line.startswith("memcubed_workers ") for line in lines)


async def test_a_worker_serves_its_metrics_where_it_is_told_to(database: DatabaseUrls, tmp_path: Path) -> None:
    env = environment(tmp_path / "home", **database_settings(database), metrics_port=0)
    with working(tmp_path, env) as worker:
        port = worker.logged(r"metrics_served\s.*?port=(\d+)").group(1)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            ready = await http.get("/health/ready")
            assert (ready.status_code, ready.json()["worker"]) == (200, True)
            assert re.search(r"^memcubed_workers \d", (await http.get("/metrics")).text, re.MULTILINE)
            assert (await http.post("/api/openmem/v1/search/memory", json={})).status_code == 404
        assert worker.stop() == 0
