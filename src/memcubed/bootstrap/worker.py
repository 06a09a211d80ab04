"""The worker in this process: kept running, and ended so that no job is lost and nothing hangs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from procrastinate.app import App, WorkerOptions
from procrastinate.exceptions import ConnectorException
from procrastinate.middleware import WorkerMiddleware
from procrastinate.worker import Worker

_DRAIN_SECONDS: Final = 20.0
_RESTART_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


async def run_jobs(
    queue: App, prepare: Callable[[], Awaitable[None]], *, concurrency: int, middleware: list[WorkerMiddleware]
) -> None:
    """Run jobs until cancelled; after what ends a worker, such as a lost database, prepare and start another one."""
    while not _is_cancelled():
        try:
            await prepare()
            if _is_cancelled():  # and the connection pool, which waits by asyncio.wait_for, hid it
                break
            options: WorkerOptions = {
                **queue.worker_defaults,
                "concurrency": concurrency,
                "install_signal_handlers": False,
                "shutdown_graceful_timeout": _DRAIN_SECONDS,
                "worker_middleware": middleware,
            }
            worker = Worker(queue, **options)
            await _run(worker)
        except ConnectorException as error:
            log.warning("worker_lost_the_database", reason=str(error.__cause__ or error))
        except Exception:  # the edge of the worker, which nothing but the end of the process may end
            log.exception("worker_failed")
        if not _is_cancelled():
            await asyncio.sleep(_RESTART_SECONDS)


async def _run(worker: Worker) -> None:
    """Run it in a task of its own, and tell it to stop when this one is cancelled.

    It must not get the cancellation itself: while it registers it waits for a connection, and Python's asyncio.wait_for
    loses a cancellation that comes at the moment when there is one. The worker would go on as if nothing had been said.
    """
    running = asyncio.create_task(worker.run(), name="jobs")  # type: ignore[no-untyped-call]  # it says no types
    try:
        await asyncio.wait({running})
    except asyncio.CancelledError:
        worker.stop()  # type: ignore[no-untyped-call]  # same
        await running
        raise
    await running


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def drained(worker: asyncio.Task[None]) -> None:
    """Let a worker finish its running jobs, or give them back to the queue, and end."""
    log.info("finishing_running_jobs", at_most_seconds=_DRAIN_SECONDS)
    await ended(worker, patience=_DRAIN_SECONDS + _RESTART_SECONDS)


async def ended(task: asyncio.Task[None], *, patience: float = _RESTART_SECONDS) -> None:
    """Cancel a task, and again whenever it goes on for so many seconds: libraries can lose a cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=patience)
