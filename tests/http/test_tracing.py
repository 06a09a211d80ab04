"""Traces by OpenTelemetry: one from a request to its job and the job's model calls, without a word that was said."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.conftest import StartService
from tests.support.api import eventually
from tests.support.process import environment, run
from tests.support.scripted_llm import ScriptedServer, echo_extraction
from tests.support.settings import llm_settings

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
SECRET = "zanzibar"


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


def test_nothing_of_it_is_imported_where_nobody_wants_traces(tmp_path: Path) -> None:
    done = run("--help", env={**environment(tmp_path), "PYTHONPROFILEIMPORTTIME": "1"})
    assert "memcubed.bootstrap" in done.stderr
    assert "opentelemetry.sdk" not in done.stderr
