"""Bodies that are too large are refused before they are read."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memcubed.errors import RequestTooLargeError
from memcubed.http.failures import failure


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
