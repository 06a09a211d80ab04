"""The forms of a path that clients put together from a base URL and a route."""

import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES: Final = re.compile("//+")


class PlainPaths:
    """ASGI middleware: `/add/message/` and `/v1//add/message` are `/add/message` and `/v1/add/message`.

    A redirect would not do: many clients send no body, or none of their headers, to where they are redirected.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its path in its one form; in the same scope, which others look into afterwards."""
        if scope["type"] == "http":
            scope["path"] = _SLASHES.sub("/", scope["path"]).removesuffix("/") or "/"
        await self._app(scope, receive, send)
