"""Under which address the caller of each request reaches the service."""

import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from memcubed.contract.links import public_base

_HOST: Final = re.compile(rb"[A-Za-z0-9.-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")


class PublicBase:
    """ASGI middleware: answers name the service by `public_url`, or else as the request did."""

    def __init__(self, app: ASGIApp, *, public_url: str | None) -> None:
        self._app = app
        self._public_url = None if public_url is None else public_url.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the address for whatever is answered."""
        if scope["type"] == "http":
            public_base.set(self._public_url or _asked(scope))
        await self._app(scope, receive, send)


def _asked(scope: Scope) -> str:
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    return f"{scope.get('scheme', 'http')}://{host.decode('ascii')}" if _HOST.fullmatch(host) else ""
