"""The job queue: procrastinate on the service's own database."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import procrastinate
import psycopg
import structlog
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from psycopg.types.json import Jsonb
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.clock import utc_now
from memcubed.errors import BudgetSpentError, ProviderError
from memcubed.settings import libpq_url
from memcubed.store.job_watch import ORIGIN, origin
from memcubed.store.session import UNAVAILABLE_ERRORS
from memcubed.tracing import Tracing

_LONGEST_WAIT_SECONDS: Final = 300.0
_LONGEST_PAUSE_SECONDS: Final = 1800.0  # of a job whose project's budget is spent
_CUT_SHORT: Final = 20
"""So many tries of a job may be cut short before it is taken for one that kills its worker."""

HEARTBEAT_SECONDS: Final = 3.0
STALLED_AFTER_SECONDS: Final = 15.0
"""A worker without a heartbeat for this long is taken for dead, and its jobs are run again."""

_POLL_SECONDS: Final = 2.0  # for jobs that are due again, and the odd notification that finds a worker busy
_CONNECT_SECONDS: Final = 10.0
_OTHER_RELEASE_SECONDS: Final = 60.0
_TRIES_TO_RECORD: Final = 3
_PAUSE_SECONDS: Final = 0.5

_WAKE: Final = text("""
    UPDATE procrastinate_jobs SET scheduled_at = now()
    WHERE status = 'todo' AND scheduled_at > now() AND args ->> 'project_id' = :project_id
""")

_DROP: Final = text("DELETE FROM procrastinate_jobs WHERE status = 'todo' AND args ->> 'project_id' = :project_id")

_ENQUEUE: Final = text("""
    SELECT procrastinate_defer_jobs_v1(array_agg(
        ROW('default', CAST(:name AS text), 0, lock, NULL, args, NULL)::procrastinate_job_to_defer_v1
    ))
    FROM unnest(CAST(:locks AS text[]), CAST(:arguments AS jsonb[])) AS job (lock, args)
""")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job's arguments; jobs of the same lock run one after another, in order."""

    lock: str
    arguments: Mapping[str, str]


def create_queue(url: str, tracing: Tracing) -> procrastinate.App:
    """The queue, not opened yet and without tasks."""
    connector = procrastinate.PsycopgConnector(
        conninfo=libpq_url(url),
        min_size=1,
        max_size=4,
        timeout=_CONNECT_SECONDS,
        # The pool's pause between tries doubles until this; a long outage is not to be followed by a long wait.
        reconnect_timeout=_CONNECT_SECONDS,
        kwargs={"application_name": "memcubed queue"},
        configure=_use_autocommit,
    )
    queue = procrastinate.App(
        connector=connector,
        worker_defaults={
            "fetch_job_polling_interval": _POLL_SECONDS,
            "update_heartbeat_interval": HEARTBEAT_SECONDS,
            "stalled_worker_timeout": STALLED_AFTER_SECONDS,
            "delete_jobs": "successful",
        },
    )
    queue.job_manager = SteadyJobManager(connector, tracing, lambda name: name in queue.tasks)
    return queue


def own_jobs(queue: procrastinate.App) -> list[str]:
    """The names of the jobs that the service has registered; the library brings some of its own."""
    return sorted({task.name for task in queue.tasks.values() if not task.name.startswith("builtin:")})


async def _use_autocommit(connection: psycopg.AsyncConnection[Any]) -> None:
    """The queue's statements are transactions of their own: it is spared a BEGIN and a COMMIT around each."""
    await connection.set_autocommit(True)


async def enqueue_jobs(
    connection: AsyncConnection, name: str, jobs: Sequence[NewJob], came_from: Mapping[str, str]
) -> None:
    """Put jobs of one name on the queue, on the caller's transaction: they exist if, and only if, it is committed.

    `came_from` is what `origin` says. procrastinate's own call waits for their ids, which costs a round trip.
    """
    locks = [job.lock for job in jobs]
    carried = {ORIGIN: dict(came_from)} if came_from else {}
    arguments = [Jsonb({**job.arguments, **carried}) for job in jobs]
    await connection.execute(_ENQUEUE, {"name": name, "locks": locks, "arguments": arguments})


async def wake_jobs(connection: AsyncConnection, project_id: UUID) -> None:
    """Let a project's jobs that wait for a later time run now."""
    await connection.execute(_WAKE, {"project_id": str(project_id)})


async def drop_jobs(connection: AsyncConnection, project_id: UUID) -> None:
    """Forget a project's jobs that do not run yet."""
    await connection.execute(_DROP, {"project_id": str(project_id)})


class SteadyJobManager(JobManager):
    """Records how a job ended even when the connection breaks at that moment.

    Otherwise the job would stay `doing`, and hold its lock, for as long as its worker lives. Jobs carry with them which
    request, and which trace, they come from. A job that this process does not know (`knows`) is of a newer release: it
    is left to a worker of that one, for as long as an upgrade may take.
    """

    def __init__(
        self, connector: procrastinate.PsycopgConnector, tracing: Tracing, knows: Callable[[str], bool]
    ) -> None:
        super().__init__(connector)
        self._tracing = tracing
        self._knows = knows

    async def defer_job_async(self, job: Job, connection: Any | None = None) -> Job:  # noqa: ANN401 - as the queue has it
        """Put a job on the queue."""
        came_from = origin(self._tracing)
        if came_from:
            job = job.evolve(task_kwargs={**job.task_kwargs, ORIGIN: came_from})
        return await super().defer_job_async(job, connection)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:  # noqa: FBT001 - as it is called
        """Record a job's last end."""
        if status is Status.FAILED and not self._knows(job.task_name) and job.attempts < _CUT_SHORT:
            log.warning("job_left_to_another_release", job_id=job.id, job=job.task_name)
            await self.retry_job(job, utc_now() + timedelta(seconds=_OTHER_RELEASE_SECONDS))
            return
        await _insist(lambda: super(SteadyJobManager, self).finish_job(job, status, delete_job), job)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Give a job back to the queue, unless one with the same queueing lock waits there already."""
        try:
            await _insist(lambda: super(SteadyJobManager, self).retry_job(job, retry_at, priority, queue, lock), job)
        except UniqueViolation:
            await self.finish_job(job, Status.ABORTED, delete_job=True)


async def _insist(record: Callable[[], Awaitable[None]], job: Job) -> None:
    for tries_left in reversed(range(_TRIES_TO_RECORD)):
        try:
            await record()
        except ConnectorException as error:
            if isinstance(error.__cause__, psycopg.errors.RaiseException):
                # An earlier try was recorded although its answer got lost, or the job was given to another worker.
                log.info("job_had_ended", job_id=job.id, job=job.task_name)
                return
            if not isinstance(error.__cause__, UNAVAILABLE_ERRORS) or not tries_left:
                raise
            log.warning("job_not_recorded_yet", job_id=job.id, job=job.task_name, reason=str(error.__cause__)[:200])
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return


class FailedTryError(Exception):
    """A try that came to an end of its own, and failed; its cause is the error. `failures_before` counts such tries."""

    def __init__(self, cause: Exception, failures_before: int) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause
        self.failures_before = failures_before


class Backoff(procrastinate.BaseRetryStrategy):
    """Try again after a wait that doubles, with full jitter on its upper half; give up after `attempts`.

    A provider's own Retry-After is honoured, and an error that can't get better is not tried again. A try that the
    worker's end or the database cut short says nothing about the job: it is always tried again, and `bound` limits how
    often a job may begin at all.
    """

    def __init__(self, *, attempts: int, first_wait_seconds: float) -> None:
        self.attempts = attempts
        self.bound = attempts + _CUT_SHORT
        self.first_wait_seconds = first_wait_seconds

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> procrastinate.RetryDecision | None:
        """`job.attempts` counts all tries before the one that just failed, those cut short included."""
        if isinstance(exception, asyncio.CancelledError):
            return procrastinate.RetryDecision(retry_at=utc_now())
        if isinstance(exception, BudgetSpentError):
            # Spread, since all jobs of the project wait; and not for a whole day, since a budget may be raised.
            pause = min(exception.retry_after, _LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            return procrastinate.RetryDecision(retry_at=utc_now() + timedelta(seconds=pause + 1))
        error, failures = exception, job.attempts
        if isinstance(exception, FailedTryError):
            error, failures = exception.cause, exception.failures_before
        if self.is_last(error, failures):
            return None
        wait = timedelta(seconds=self.wait_seconds(error, failures))
        return procrastinate.RetryDecision(retry_at=utc_now() + wait)

    def wait_seconds(self, error: BaseException, attempts_before: int) -> float:
        """How long to wait after a try that raised this."""
        doubled = min(self.first_wait_seconds * 2.0 ** min(attempts_before, 30), _LONGEST_WAIT_SECONDS)
        asked = error.retry_after if isinstance(error, ProviderError) else None
        wait = doubled * random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret
        return max(wait, min(asked or 0, _LONGEST_WAIT_SECONDS))

    def is_last(self, error: BaseException, attempts_before: int) -> bool:
        """Whether the try that raised this was the last one."""
        if isinstance(error, UNAVAILABLE_ERRORS):
            return False
        if isinstance(error, ProviderError) and not error.retryable:
            return True
        return attempts_before + 1 >= self.attempts
