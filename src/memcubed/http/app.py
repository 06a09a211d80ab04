"""The FastAPI application: mounts the slices' routes under the contract's base path."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry
from starlette.routing import BaseRoute

from memcubed.contract import links
from memcubed.http.browsers import SecurityHeaders, allow_origins
from memcubed.http.failures import PlainStart, Unexpected, install_failures
from memcubed.http.limits import BodyLimit, NoEncodings, RateLimitHeaders
from memcubed.http.openapi import install_openapi
from memcubed.http.paths import PlainPaths
from memcubed.http.probes import probe_routes
from memcubed.http.requests import RequestLog
from memcubed.knowledge.routes import ADD_FILES_PATH
from memcubed.tracing import Tracing

BASE_PATH: Final = links.BASE_PATH

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Edge:
    """What stands around the routes: the largest bodies, who may call from a browser, and whether there are pages."""

    max_request_bytes: int
    max_upload_bytes: int
    cors_origins: Sequence[str] = ()
    has_docs: bool = True


def create_app(
    *,
    version: str,
    routers: Sequence[APIRouter],
    admin: APIRouter,
    health: APIRouter,
    lifespan: Lifespan,
    registry: CollectorRegistry,
    tracing: Tracing,
    edge: Edge,
) -> FastAPI:
    """The application, without anything started."""
    told: dict[str, Any] = {
        "title": "memcubed",
        "version": version,
        "summary": "A memory service for AI applications: conversations in, memories out.",
        "lifespan": lifespan,
        "redirect_slashes": False,
    }
    # Its pages at /docs and /redoc load nothing from elsewhere.
    app = FastAPIOffline(**told) if edge.has_docs else FastAPI(openapi_url=None, docs_url=None, redoc_url=None, **told)
    for router in routers:
        app.include_router(router, prefix=BASE_PATH)
    app.include_router(probe_routes(), prefix=BASE_PATH)
    app.include_router(admin)
    app.include_router(health)
    install_failures(app)
    install_openapi(app)
    # the last one is the outermost
    app.add_middleware(RateLimitHeaders)
    app.add_middleware(Unexpected)
    app.add_middleware(NoEncodings)
    app.add_middleware(
        BodyLimit, max_bytes=edge.max_request_bytes, of_paths={f"{BASE_PATH}{ADD_FILES_PATH}": edge.max_upload_bytes}
    )
    allow_origins(app, edge.cors_origins)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(PlainPaths)
    app.add_middleware(RequestLog, registry=registry, tracing=tracing, operations=list(_operations(app.routes)))
    app.add_middleware(PlainStart)
    return app


def _operations(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str]]:
    """The methods and patterns of the routes, as a request's scope names them."""
    for route in routes:
        included = getattr(route, "original_router", None)  # as newer releases of FastAPI keep what is included
        if isinstance(route, APIRoute):
            yield from ((method, route.path) for method in sorted(route.methods or ()))
        elif isinstance(included, APIRouter):
            yield from _operations(included.routes)


def create_health_app(health: APIRouter) -> FastAPI:
    """Health and metrics alone, for a process that serves no API."""
    app = FastAPI(openapi_url=None)
    app.include_router(health)
    app.add_middleware(SecurityHeaders)
    return app
