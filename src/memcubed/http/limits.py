"""What stands before the routes: bodies that are too large are refused, and answers tell what is left of a limit."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memcubed.errors import RequestTooLargeError, UnsupportedTypeError
from memcubed.http.failures import failure
from memcubed.projects.limits import Allowance

_DRAIN_BYTES: Final = 256_000_000
_DRAIN_SECONDS: Final = 30.0
_DRAIN_PAUSE_SECONDS: Final = 5.0
"""How much of a refused body is read and thrown away, for how long, and how long a pause in it may be (nginx has the
same two times as lingering_time and lingering_timeout)."""


class BodyLimit:
    """ASGI middleware: has routes answer 413 as soon as a body is known to be over `max_bytes`, and read none of it.

    The route has checked the key by then, so that the refusal is logged and counted as that route's and that project's.
    `of_paths` has other limits for some paths, such as those that take files. An answer that comes before the body was
    read, this one or that of a wrong key, is sent at once; what the client still sends is then thrown away, within
    bounds, before the connection may be closed. Closing it earlier resets it, and many clients then lose the answer.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, of_paths: Mapping[str, int]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._of_paths = of_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge by Content-Length where there is one, else count what arrives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive, self._of_paths.get(scope["path"], self._max_bytes))

        async def drained(message: Message) -> None:
            if message["type"] == "http.response.start" and body.is_too_large and not body.has_ended:
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            if message["type"] == "http.response.body" and not message.get("more_body") and not body.has_ended:
                await send({**message, "more_body": True})
                await body.throw_away()
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        await self._app(scope, body.receive, drained)


class _Body:
    """A request's body on its way in."""

    def __init__(self, scope: Scope, receive: Receive, most: int) -> None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        declared = int(length) if length.isdigit() else 0
        self.most = most
        self.is_too_large = declared > most
        self.has_ended = declared == 0 and b"transfer-encoding" not in headers
        self._receive = receive
        self._seen = 0

    async def receive(self) -> Message:
        """The next part. Raises RequestTooLargeError, at once where the length that was declared is too large."""
        if self.is_too_large:
            raise _too_large(self.most)
        message = await self._next()
        if message["type"] == "http.request":
            self._seen += len(message.get("body", b""))
            if self._seen > self.most:
                self.is_too_large = True
                raise _too_large(self.most)
        return message

    async def throw_away(self) -> None:
        """Read what is left, as far as the bounds go."""
        thrown, until = 0, time.monotonic() + _DRAIN_SECONDS
        while not self.has_ended and thrown < _DRAIN_BYTES and time.monotonic() < until:
            try:
                message = await asyncio.wait_for(self._next(), _DRAIN_PAUSE_SECONDS)
            except TimeoutError:
                return
            thrown += len(message.get("body", b""))

    async def _next(self) -> Message:
        message = await self._receive()
        self.has_ended = self.has_ended or message["type"] != "http.request" or not message.get("more_body")
        return message


def _too_large(most: int) -> RequestTooLargeError:
    return RequestTooLargeError(f"The request body is larger than {most} bytes.")


class NoEncodings:
    """ASGI middleware: refuses compressed bodies, whose size nobody knows before they are unpacked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 40006 to a body that says it is encoded."""
        if scope["type"] == "http":
            encoding = next((value for name, value in scope["headers"] if name == b"content-encoding"), b"identity")
            if encoding.strip().lower() not in {b"", b"identity"}:
                error = UnsupportedTypeError("The body must be sent as it is, without a Content-Encoding.")
                await failure(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class RateLimitHeaders:
    """ASGI middleware: answers say how many requests the project still has.

    The three fields are those of draft-ietf-httpapi-ratelimit-headers up to its revision 06, which clients know.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the fields to the answer of a request that authentication left an allowance for."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                allowance = scope.get("state", {}).get("allowance")
                if isinstance(allowance, Allowance):
                    message["headers"] = [*message["headers"], *_fields(allowance)]
            await send(message)

        await self._app(scope, receive, told)


def _fields(allowance: Allowance) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"ratelimit-limit", b"%d" % allowance.limit),
        (b"ratelimit-remaining", b"%d" % allowance.remaining),
        (b"ratelimit-reset", b"%d" % allowance.full_in_seconds),
    )
