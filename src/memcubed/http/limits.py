"""What stands before the routes: bodies that are too large are refused, and answers tell what is left of a limit."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memcubed.errors import RequestTooLargeError
from memcubed.http.failures import failure
from memcubed.projects.limits import Allowance


class BodyLimit:
    """ASGI middleware: answers 413 as soon as a body is known to be over `max_bytes`."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge by Content-Length where there is one, else count what arrives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if length.isdigit() and int(length) > self._max_bytes:
            await failure(self._error())(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > self._max_bytes:
                    raise self._error()
            return message

        await self._app(scope, counted, send)

    def _error(self) -> RequestTooLargeError:
        return RequestTooLargeError(f"The request body is larger than {self._max_bytes} bytes.")


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
