"""What is seen of jobs while they run: log lines that say whose they are, spans, counts and times."""

import inspect
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any, Final

import structlog
from procrastinate import JobContext
from procrastinate.worker import Worker
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from memcubed.errors import BudgetSpentError
from memcubed.tracing import Tracing

ORIGIN: Final = "origin"
"""The argument that says where a job comes from: the request's id, and its trace. Jobs themselves never see it."""

_SHOWN: Final = ("project_id", "cube_id", "task_id")
_ENDS: Final = ("done", "failed", "put_off")
_BUCKETS: Final = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

log = structlog.get_logger(__name__)


def origin(tracing: Tracing) -> dict[str, str]:
    """Where a job that is put on the queue now comes from."""
    known = {
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
        "traceparent": tracing.traceparent(),
    }
    return {name: value for name, value in known.items() if isinstance(value, str)}


class JobWatch:
    """Worker middleware around every job; those of the `names` are counted from 0."""

    def __init__(self, registry: CollectorRegistry, tracing: Tracing, names: Iterable[str]) -> None:
        self._tracing = tracing
        self._jobs = Counter("memcubed_jobs", "Jobs that this process ran.", ["job", "end"], registry=registry)
        for name in names:
            for end in _ENDS:
                self._jobs.labels(name, end)
        self._seconds = Histogram(
            "memcubed_job_seconds", "Time of a job.", ["job"], registry=registry, buckets=_BUCKETS
        )
        self._last = Gauge(
            "memcubed_worker_last_job_timestamp_seconds", "When this process last ended a job.", registry=registry
        )

    async def run(self, call_next: Callable[[], Awaitable[Any]], context: JobContext, _worker: Worker) -> Any:  # noqa: ANN401 - as the queue has it
        """Run a job."""
        arguments, name = context.job.task_kwargs, context.job.task_name
        came_from = arguments.pop(ORIGIN, None)
        _drop_unknown(context)
        came_from = came_from if isinstance(came_from, dict) else {}
        ids = {key: value for key in _SHOWN if isinstance(value := arguments.get(key), str)}
        request_id, parent = came_from.get("request_id"), came_from.get("traceparent")
        bound = {**ids, "job": name, "job_id": context.job.id}
        if isinstance(request_id, str):
            bound["request_id"] = request_id
        attributes = {f"memcubed.{key}": value for key, value in bound.items() if isinstance(value, str | int)}
        end, started = "failed", time.perf_counter()
        async with AsyncExitStack() as stack:
            stack.enter_context(structlog.contextvars.bound_contextvars(**bound))
            stack.enter_context(
                self._tracing.span(f"job {name}", attributes, parent=parent if isinstance(parent, str) else None)
            )
            try:
                result = await call_next()
                end = "done"
            except BudgetSpentError:
                end = "put_off"
                raise
            finally:
                self._jobs.labels(name, end).inc()
                self._seconds.labels(name).observe(time.perf_counter() - started)
                self._last.set_to_current_time()
        return result


def _drop_unknown(context: JobContext) -> None:
    """Leave out arguments that a newer release has given the job: while an installation is upgraded, both are there."""
    arguments = context.job.task_kwargs
    unknown = sorted(set(arguments) - set(inspect.signature(context.task.func).parameters))
    for name in unknown:
        del arguments[name]
    if unknown:
        log.info("job_arguments_ignored", job=context.job.task_name, job_id=context.job.id, arguments=unknown)
