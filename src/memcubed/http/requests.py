"""Each request's id, its log line and its metrics."""

import time
from collections.abc import Iterable
from http import HTTPStatus
from uuid import uuid4

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memcubed.tracing import Tracing

log = structlog.get_logger(__name__)

_ID_HEADER = b"x-request-id"
_TRACE_HEADER = b"traceparent"
_MAX_ID = 100
_UNKNOWN = ("any", "unknown")
_FAILURES = (HTTPStatus.INTERNAL_SERVER_ERROR.value, HTTPStatus.SERVICE_UNAVAILABLE.value)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestLog:
    """ASGI middleware: gives requests an id, counts and times them, and logs a line each; never any content.

    Failures of each of the `operations`, a method and a route's pattern, are counted from 0: what Prometheus first sees
    at 1 has not increased.
    """

    def __init__(
        self, app: ASGIApp, *, registry: CollectorRegistry, tracing: Tracing, operations: Iterable[tuple[str, str]]
    ) -> None:
        self._app = app
        self._tracing = tracing
        self._requests = Counter(
            "memcubed_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "memcubed_http_request_seconds", "Time to answer a request.", ["method", "route"], registry=registry
        )
        for method, route in (*operations, _UNKNOWN):
            for status in _FAILURES:
                self._requests.labels(method, route, status)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its id bound to every log line on the way."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = _header(scope, _ID_HEADER)
        request_id = given if given.isprintable() and 0 < len(given) <= _MAX_ID else uuid4().hex
        status = 500
        started = time.perf_counter()

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                message["headers"] = [*message["headers"], (_ID_HEADER, request_id.encode())]
            await send(message)

        attributes = {"memcubed.request_id": request_id, "http.request.method": scope["method"]}
        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            self._tracing.span(
                "request", attributes, parent=_header(scope, _TRACE_HEADER) or None, is_entry=True
            ) as span,
        ):
            try:
                await self._app(scope, receive, tagged)
            finally:
                seconds = time.perf_counter() - started
                # The route's pattern, never the path: paths hold ids, and are without number.
                route = getattr(scope.get("route"), "path", "unknown")
                # A method is whatever a client has sent, where the route answers that it takes another one.
                method = scope["method"] if scope.get("route") and scope["method"] in _METHODS else "any"
                span.tell(f"{method} {route}", **{"http.route": route, "http.response.status_code": status})
                self._requests.labels(method, route, status).inc()
                self._seconds.labels(method, route).observe(seconds)
                log.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1))


def _header(scope: Scope, name: bytes) -> str:
    found: bytes = next((value for header, value in scope["headers"] if header == name), b"")
    return found.decode("ascii", "ignore")
