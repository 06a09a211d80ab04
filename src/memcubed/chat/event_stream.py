"""Work for a client that may hang up: then it is cancelled, and with it whatever it waits for."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

ResultT = TypeVar("ResultT")

HEADERS: Final = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx passes each event on as it comes
}
_CLIENT_CLOSED: Final = 499  # nginx's; nobody is there to read it


class HungUpError(Exception):
    """The client went away before its answer was whole."""


@asynccontextmanager
async def _hang_up(receive: Receive) -> AsyncIterator[asyncio.Task[None]]:
    """A task that ends when the client goes away."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    task = asyncio.create_task(gone(), name="watch for a hang-up")
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def unless_hung_up(request: Request, work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """What the work gives. Raises HungUpError, and cancels the work, when the client goes away before."""
    async with _hang_up(request.receive) as gone:
        return await _unless(gone, asyncio.create_task(work))


async def _unless(gone: asyncio.Task[None], task: asyncio.Task[ResultT]) -> ResultT:
    try:
        await asyncio.wait({gone, task}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise HungUpError
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


class EventStream(Response):
    """Server-sent events, each sent as it comes; a client that hangs up closes `events`."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[str, None]) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, until the last one or until the client goes away."""
        del scope
        async with aclosing(self._events), _hang_up(receive) as gone:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            try:
                while (event := await _unless(gone, asyncio.create_task(_next(self._events)))) is not None:
                    await send({"type": "http.response.body", "body": f"data: {event}\n\n".encode(), "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            except (HungUpError, OSError):
                return


async def _next(events: AsyncGenerator[str, None]) -> str | None:
    return await anext(events, None)


def no_one_there() -> Response:
    """What is answered to nobody."""
    return Response(status_code=_CLIENT_CLOSED)
