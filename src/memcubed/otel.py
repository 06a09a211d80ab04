"""Spans for OpenTelemetry, sent by OTLP over HTTP. Needs the extra `memcubed[otel]`."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from memcubed.tracing import Attribute, Span

_TRACEPARENT: Final = "traceparent"
_CANCELLED: Final = "memcubed.cancelled"


class OtelSpan:
    """Implements Span."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def tell(self, name: str | None = None, **attributes: Attribute) -> None:
        """Add what became known meanwhile."""
        if name is not None:
            self._span.update_name(name)
        self._span.set_attributes(attributes)


class OtelTracing:
    """Implements Tracing: spans go to `endpoint`, in batches, from a thread of its own; what can't be sent is dropped.

    Sampling, headers and such are taken from OpenTelemetry's own environment variables (OTEL_TRACES_SAMPLER, ...).
    """

    def __init__(self, endpoint: str, *, version: str) -> None:
        resource = Resource.create({"service.name": "memcubed", "service.version": version})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("memcubed", version)
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self, name: str, attributes: Mapping[str, Attribute], *, parent: str | None = None, is_entry: bool = False
    ) -> Iterator[Span]:
        """A block that is one span."""
        context = None if parent is None else self._propagator.extract({_TRACEPARENT: parent})
        with (
            self._tracer.start_as_current_span(
                name,
                context=context,
                kind=SpanKind.SERVER if is_entry else SpanKind.INTERNAL,
                attributes=dict(attributes),
                record_exception=False,  # messages may quote what users wrote
                set_status_on_exception=False,
            ) as span,
            _ending(span),
        ):
            yield OtelSpan(span)

    @contextmanager
    def span_in_parts(self, name: str, attributes: Mapping[str, Attribute]) -> Iterator[Span]:
        """A block of a generator that is one span."""
        span = self._tracer.start_span(name, attributes=dict(attributes))
        try:
            with _ending(span):
                yield OtelSpan(span)
        finally:
            span.end()

    def traceparent(self) -> str | None:
        """The running span as a W3C traceparent."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get(_TRACEPARENT)

    def close(self) -> None:
        """Send what is not sent yet."""
        self._provider.shutdown()


@contextmanager
def _ending(span: trace.Span) -> Iterator[None]:
    """Tell the span how its block ended."""
    try:
        yield
    except (asyncio.CancelledError, GeneratorExit):
        span.set_attributes({_CANCELLED: True})
        raise
    except BaseException as error:
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        raise
