"""Whether the service lives, and whether a request would succeed."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from memcubed.http.readiness import Readiness, State, worst


@dataclass(frozen=True, slots=True)
class Running:
    """What runs in this process, as /health shows it."""

    version: str
    extractor: str
    embeddings: str
    database: str
    worker: bool


class Liveness(BaseModel):
    """`status` is `ok`, since the process answers."""

    status: str
    version: str
    extractor: str
    embeddings: str
    database: str
    worker: bool


class PartHealth(BaseModel):
    """One thing that requests need: its `status` is `ok`, `degraded` or `unavailable`, and why."""

    status: State
    reason: str


class Health(Liveness):
    """`status` is the worst of the `parts`."""

    parts: dict[str, PartHealth]


def health_routes(
    describe: Callable[[], Running],
    readiness: Readiness,
    registry: CollectorRegistry,
    refresh: Callable[[], Awaitable[None]],
) -> APIRouter:
    """Health and metrics, open to anyone who reaches the port. `refresh` asks for what gauges show, before a scrape."""
    router = APIRouter(tags=["health"])

    @router.get("/health/live")
    async def live() -> Liveness:
        """The process answers."""
        return Liveness(status=State.OK, **asdict(describe()))

    @router.get("/health/ready", response_model=Health, responses={503: {"model": Health}})
    @router.get("/health", include_in_schema=False)
    async def ready() -> Response:
        """200 when a request would succeed, perhaps with something late or missing (`degraded`), else 503."""
        parts = await readiness.examine()
        status = worst(parts)
        health = Health(
            status=status,
            **asdict(describe()),
            parts={part.name: PartHealth(status=part.state, reason=part.reason) for part in parts},
        )
        fails = status is State.UNAVAILABLE
        return JSONResponse(health.model_dump(mode="json"), HTTPStatus.SERVICE_UNAVAILABLE if fails else HTTPStatus.OK)

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        """Prometheus metrics of this process, and of the database."""
        await refresh()
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router
