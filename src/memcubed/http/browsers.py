"""What answers tell browsers: how to treat what they get, and which pages of other sites may call."""

from collections.abc import Sequence
from typing import Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DOCS_PATHS: Final = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc"})
_ASSETS: Final = "/static-offline-docs/"

_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_NO_STORE: Final = (b"cache-control", b"no-store")
_NOTHING: Final = b"default-src 'none'; frame-ancestors 'none'"
# Swagger UI and ReDoc start from a script in the page, write styles, draw from data URLs, and search in a worker.
_OWN: Final = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; worker-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_METHODS: Final = ("GET", "POST", "PATCH", "DELETE")
_SENT: Final = ("Authorization", "Content-Type", "Idempotency-Key", "X-Request-Id")
_READ: Final = ("Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "X-Request-Id")


class SecurityHeaders:
    """ASGI middleware: no guessing of types, no frames, no referrer, nothing loaded, and nothing of the API stored.

    HSTS is left to the proxy, which is what speaks TLS.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the fields to every answer; one that the route set itself stays."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        policy = _OWN if path in DOCS_PATHS else _NOTHING
        fields = [*_ALWAYS, (b"content-security-policy", policy)]
        if not path.startswith(_ASSETS):
            fields.append(_NO_STORE)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(field for field in fields if field[0] not in given)]
            await send(message)

        await self._app(scope, receive, guarded)


def allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of these origins call; without any, browsers let none. Cookies are of no use here, nor let through."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_SENT,
            expose_headers=_READ,
        )
