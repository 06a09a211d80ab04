"""What stands before the routes: bodies that are too large are refused, and answers tell what is left of a limit."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memcubed.errors import RequestTooLargeError, UnsupportedTypeError
from memcubed.http.failures import failure
from memcubed.projects.limits import Allowance


class BodyLimit:
    """ASGI middleware: answers 413 as soon as a body is known to be over `max_bytes`.

    `of_paths` has other limits for some paths, such as those that take files.
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
        most = self._of_paths.get(scope["path"], self._max_bytes)
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if length.isdigit() and int(length) > most:
            await failure(_too_large(most))(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > most:
                    raise _too_large(most)
            return message

        await self._app(scope, counted, send)


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
