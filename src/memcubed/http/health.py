"""Whether the service lives, and whether a request would succeed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from memcubed.store.session import UNAVAILABLE_ERRORS


@dataclass(frozen=True, slots=True)
class Running:
    """What runs in this process, as /health shows it."""

    version: str
    extractor: str
    embeddings: str
    database: str
    worker: bool


class Health(BaseModel):
    """`status` is `ok` or `unavailable`."""

    status: str
    version: str
    extractor: str
    embeddings: str
    database: str
    worker: bool


Probe = Callable[[], Awaitable[None]]
"""Does what a request would need; raises one of UNAVAILABLE_ERRORS when it can't."""


def health_routes(describe: Callable[[], Running], probe: Probe, registry: CollectorRegistry) -> APIRouter:
    """Health and metrics, open to anyone who reaches the port."""
    router = APIRouter(tags=["health"])

    def answer(status: str) -> Health:
        running = describe()
        return Health(
            status=status,
            version=running.version,
            extractor=running.extractor,
            embeddings=running.embeddings,
            database=running.database,
            worker=running.worker,
        )

    @router.get("/health/live")
    async def live() -> Health:
        """The process answers."""
        return answer("ok")

    @router.get("/health/ready", responses={503: {"model": Health}})
    @router.get("/health", include_in_schema=False)
    async def ready() -> Response:
        """200 when a request would succeed, else 503."""
        try:
            await probe()
        except UNAVAILABLE_ERRORS:
            return JSONResponse(answer("unavailable").model_dump(), status_code=503)
        return JSONResponse(answer("ok").model_dump())

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        """Prometheus metrics of this process."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router
