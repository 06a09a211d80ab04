"""What clients of the hosted platform ask before their first call: whether anybody answers."""

from fastapi import APIRouter

from memcubed.contract.envelope import Envelope


def probe_routes() -> APIRouter:
    """`/ping` in the forms that clients use, open to anyone."""
    router = APIRouter(tags=["health"])

    @router.get("/ping")
    @router.get("/v1/ping", include_in_schema=False)
    async def ping() -> Envelope[str]:
        """The service answers."""
        return Envelope(data="pong")

    return router
