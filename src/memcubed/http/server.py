"""Uvicorn, on a socket that is open before anything else starts."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from memcubed.errors import ConfigurationError

_BACKLOG: Final = 2048
_DRAIN_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.02


def open_socket(host: str, port: int, *, chosen_by: str = "--host or --port") -> socket.socket:
    """Take the address, so that a port in use is told before a database is started.

    Raises ConfigurationError that says how to choose another one.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # asyncio turns Nagle's algorithm off only where the protocol is named, and with it answers take 40 ms longer
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ConfigurationError(
            f"Can't listen on {host} port {port}: {error.strerror or error}. Choose another with {chosen_by}."
        ) from error
    return listener


def create_server(app: FastAPI) -> uvicorn.Server:
    """A server that answers what is in flight before it ends."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        server_header=False,
    )
    return uvicorn.Server(config)


async def server_started(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    """Return once a server that another task serves answers, or has failed to."""
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(_POLL_SECONDS)


def run_server(app: FastAPI, listener: socket.socket) -> bool:
    """Serve until SIGINT or SIGTERM; False when the application could not start."""
    server = create_server(app)
    # Uvicorn raises the signal that stopped it again when it has ended; the caller still has to clean up.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ignore)
    server.run(sockets=[listener])
    return server.started


def _ignore(_number: int, _frame: FrameType | None) -> None:
    pass


@asynccontextmanager
async def served(app: FastAPI, listener: socket.socket) -> AsyncIterator[None]:
    """With the application served beside other work, which keeps its own ways with signals."""
    server = create_server(app)
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]  # the process has its own
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="server")
    try:
        yield
    finally:
        server.should_exit = True
        await serving
