"""Traces by OpenTelemetry: one from a request to its job and the job's model calls, without a word that was said."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from memcubed.recall.stages import Stage
from tests.conftest import StartService
from tests.support.api import eventually
from tests.support.file_server import reply, serving_files
from tests.support.models import model_server, model_settings
from tests.support.process import environment, run
from tests.support.rerank_server import RerankServer
from tests.support.scripted_llm import (
    Answer,
    Json,
    ScriptedServer,
    api_error,
    echo_extraction,
    holding,
    json_answer,
    stream_answer,
)
from tests.support.settings import llm_settings, make_settings

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
SECRET = "zanzibar"
PNG_URL = "data:image/png;base64,iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA=="


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """An OTLP/HTTP collector on loopback: its address, and what it was sent."""
    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", received
        finally:
            server.shutdown()
            thread.join()


def spans(received: list[bytes]) -> list[Span]:
    return [
        span
        for body in received
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


async def test_request_job_and_model_call_are_one_trace(start: StartService) -> None:
    with ScriptedServer(echo_extraction) as server, collector() as (endpoint, received):
        async with start(llm_settings(server, otlp_endpoint=endpoint)) as api:
            client = await api.client()
            body = {"user_id": SECRET, "messages": [{"role": "user", "content": f"I live in {SECRET}."}]}
            headers = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X_Request_ID": "the-request"}
            task = (await client.send("/add/message", body, **headers)).data["task_id"]
            await client.finished(task)

            async def ended() -> bool:
                return (
                    api.service.registry.get_sample_value(
                        "memcubed_jobs_total", {"job": "production.run_share", "end": "done"}
                    )
                    == 1
                )

            await eventually(ended)
    found = [span for span in spans(received) if span.trace_id.hex() == TRACE]
    by_name = {span.name: span for span in found}
    request = next(span for span in found if span.name.startswith("POST ") and "/add/message" in span.name)
    job, call = by_name["job production.run_share"], by_name["ask model"]
    assert request.parent_span_id.hex() == CALLER
    assert job.parent_span_id == request.span_id
    assert call.parent_span_id == job.span_id
    told = {item.key: item.value.string_value for item in job.attributes}
    assert (told["memcubed.task_id"], told["memcubed.request_id"]) == (task, "the-request")
    assert SECRET.encode() not in b"".join(received)


def below(span: Span, found: list[Span]) -> set[str]:
    """The names of the spans that are right below one."""
    return {one.name for one in found if one.parent_span_id == span.span_id}


def named(name: str, found: list[Span]) -> Span:
    (span,) = [one for one in found if one.name == name]
    return span


def of_route(route: str, found: list[Span]) -> Span:
    (span,) = [one for one in found if one.name.startswith("POST ") and one.name.endswith(route)]
    return span


def attributes(span: Span) -> dict[str, str | bool]:
    return {item.key: item.value.string_value or item.value.bool_value for item in span.attributes}


async def test_every_stage_of_a_search_is_below_its_request_and_calls_are_below_their_stage(
    start: StartService,
) -> None:
    def script(request: Json) -> Answer:
        extracts = "turns" in str(request["messages"][-1]["content"])
        return echo_extraction(request) if extracts else json_answer({"text": f"the town of {SECRET}"})

    with model_server(script) as server, RerankServer(lambda *_: 0.5) as reranker, collector() as (endpoint, received):
        settings = make_settings(
            **model_settings(server),
            query_rewrite=True,
            query_rewrite_timeout_seconds=30,
            rerank_base_url=reranker.url,
            rerank_api_key="a-key",
            rerank_timeout_seconds=30,
            otlp_endpoint=endpoint,
        )
        async with start(settings) as api:
            client = await api.client()
            await client.finished((await client.add(f"I live in {SECRET}."))["task_id"])
            headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
            body = {"user_id": "u", "query": f"{SECRET}?", "relativity": 0}
            assert (await client.send("/search/memory", body, **headers)).data["memory_detail_list"]
    found = [span for span in spans(received) if span.trace_id.hex() == TRACE]
    stages = below(of_route("/search/memory", found), found)
    assert stages == {f"search {stage}" for stage in Stage}
    assert below(named("search rewriting", found), found) == {"ask model"}
    assert below(named("search embedding", found), found) == {"embed query"}
    assert below(named("search reranking", found), found) == {"rerank"}
    assert attributes(named("rerank", found)) == {"memcubed.provider": "reranker", "memcubed.model": "reranker"}
    for secret in (SECRET, "a-key", client.key):
        assert secret.encode() not in b"".join(received)


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_a_streamed_answer_is_one_span_until_its_end(start: StartService, *, hangs_up: bool) -> None:
    said = stream_answer("Tea ", f"in {SECRET}")
    with ScriptedServer(holding(said) if hangs_up else said) as server, collector() as (endpoint, received):
        async with start(llm_settings(server, otlp_endpoint=endpoint), worker=False) as api:
            client = await api.client()
            headers = {"Authorization": f"Token {client.key}", "traceparent": f"00-{TRACE}-{CALLER}-01"}
            body = {"user_id": "u", "conversation_id": "c", "query": f"{SECRET}?", "stream": True}
            request = asyncio.create_task(client.http.post("/chat", json=body, headers=headers))
            if hangs_up:
                assert await asyncio.to_thread(server.streaming.wait, 30)
                before = time.time_ns()
                request.cancel()
                assert await asyncio.to_thread(server.hung_up.wait, 30)
            else:
                before = 0
                assert SECRET in (await request).text
    found = [span for span in spans(received) if span.trace_id.hex() == TRACE]
    asked, route = named("ask model", found), of_route("/chat", found)
    assert asked.parent_span_id == route.span_id
    assert before < asked.end_time_unix_nano <= route.end_time_unix_nano
    assert attributes(asked).get("memcubed.cancelled", False) is hangs_up
    assert asked.status.code == Status.STATUS_CODE_UNSET
    assert SECRET.encode() not in b"".join(received)


async def test_files_images_and_their_models_are_below_the_job(start: StartService) -> None:
    async with serving_files() as files:
        files.replies[f"/{SECRET}.md"] = reply(f"# {SECRET}\n\nThe boiler.".encode(), media_type="text/markdown")
        parts = [
            {"type": "file", "file": {"file_data": files.url(f"/{SECRET}.md")}},
            {"type": "image_url", "image_url": {"url": PNG_URL}},
        ]
        with ScriptedServer(api_error(400, SECRET)) as server, collector() as (endpoint, received):
            settings = make_settings(
                vision_model="eyes",
                vision_base_url=server.base_url,
                fetch_allowed_hosts=files.host,
                otlp_endpoint=endpoint,
            )
            async with start(settings) as api:
                client = await api.client()
                task = (await client.add({"role": "user", "content": parts}))["task_id"]
                assert (await client.finished(task))["status"] == "completed"
    found = spans(received)
    job = named("job production.run_share", found)
    assert {"fetch file", "read document", "describe image"} <= below(job, found)
    described = named("describe image", found)
    assert described.status.code == Status.STATUS_CODE_ERROR
    assert described.status.message == "ProviderError"
    assert attributes(described) == {"memcubed.provider": "vision", "memcubed.model": "eyes"}
    assert attributes(named("read document", found))["memcubed.document_type"] == "md"
    assert SECRET.encode() not in b"".join(received)


def test_nothing_of_it_is_imported_where_nobody_wants_traces(tmp_path: Path) -> None:
    done = run("--help", env={**environment(tmp_path), "PYTHONPROFILEIMPORTTIME": "1"})
    assert "memcubed.bootstrap" in done.stderr
    assert "opentelemetry.sdk" not in done.stderr
