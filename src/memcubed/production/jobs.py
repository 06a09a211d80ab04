"""The jobs of production, as the queue runs them: ids only, safe to run twice, with a visible end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import procrastinate
import structlog
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.errors import BudgetSpentError, MemcubedError, ProviderError
from memcubed.production.embedding import EmbeddingService
from memcubed.production.shares import ShareService
from memcubed.production.tasks import Enqueue
from memcubed.projects.service import ProjectService
from memcubed.store.job_watch import origin
from memcubed.store.queue import STALLED_AFTER_SECONDS, Backoff, FailedTryError, NewJob, enqueue_jobs
from memcubed.store.session import UNAVAILABLE_ERRORS
from memcubed.tracing import Tracing
from memcubed.usage.attribution import EMBEDDING, Work, working

RUN_SHARE: Final = "production.run_share"
EMBED_CUBE: Final = "production.embed_cube"
EMBED_ALL: Final = "production.embed_all"

_EMBED_ATTEMPTS: Final = 20
_EMBED_ALL_FAILURES: Final = 4  # it waits as after so many: half a minute by default
_RESCUE_EVERY_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


class ProductionQueue:
    """Puts production's jobs on the queue."""

    def __init__(self, queue: procrastinate.App, tracing: Tracing) -> None:
        self._queue = queue
        self._tracing = tracing

    def enqueue_shares_as(self, name: str) -> Enqueue:
        """What puts the jobs of shares, under this name, on the queue.

        On the caller's transaction: they exist if, and only if, their messages do.
        """

        async def enqueue(
            connection: AsyncConnection, project_id: UUID, cube_ids: Sequence[UUID], task_id: UUID
        ) -> None:
            place = {"project_id": str(project_id), "task_id": str(task_id)}
            jobs = [NewJob(str(cube_id), {**place, "cube_id": str(cube_id)}) for cube_id in cube_ids]
            await enqueue_jobs(connection, name, jobs, origin(self._tracing))

        return enqueue

    async def enqueue_embedding(
        self, project_id: UUID, cube_id: UUID, *, wait_seconds: float = 0, failures: int = 0
    ) -> None:
        """Fill in a cube's missing vectors; once, however often it is asked for. `failures` counts the tries so far."""
        job = self._queue.configure_task(
            EMBED_CUBE, queueing_lock=f"embed {cube_id}", schedule_in={"seconds": wait_seconds}, allow_unknown=True
        )
        try:
            await job.defer_async(project_id=str(project_id), cube_id=str(cube_id), failures=failures)
        except AlreadyEnqueued:
            log.debug("embedding_already_enqueued", cube_id=str(cube_id))

    async def enqueue_embedding_of_all(self, *, wait_seconds: float = 0) -> None:
        """Fill in whatever has no vector in the current space, as after a change of model."""
        job = self._queue.configure_task(
            EMBED_ALL, queueing_lock=EMBED_ALL, schedule_in={"seconds": wait_seconds}, allow_unknown=True
        )
        try:
            await job.defer_async()
        except AlreadyEnqueued:
            log.debug("embedding_of_all_already_enqueued")


RunShare = Callable[[UUID, UUID, UUID, ZoneInfo], Awaitable[bool]]
"""Does the work of a share (project, cube, task, the project's zone); whether all memories it made have vectors."""


def register_share_job(
    queue: procrastinate.App,
    name: str,
    run: RunShare,
    shares: ShareService,
    projects: ProjectService,
    jobs: ProductionQueue,
    backoff: Backoff,
) -> None:
    """Teach the queue to run shares in this process: with retries, and an end that get/status shows."""

    @queue.task(name=name, retry=backoff, pass_context=True)
    async def run_share(context: procrastinate.JobContext, project_id: str, cube_id: str, task_id: str) -> None:
        project, cube, task = UUID(project_id), UUID(cube_id), UUID(task_id)
        with structlog.contextvars.bound_contextvars(task_id=task_id):
            tries = context.job.attempts
            if tries >= backoff.bound and tries - await shares.count_waits(project, cube, task) >= backoff.bound:
                # No try came to an end of its own, so none could say so.
                reason = "Every try was cut short: the worker ended, or the database did not answer."
                await shares.record_failure(project, cube, task, reason, is_final=True)
                return
            try:
                timezone = await projects.get_timezone(project)
                are_embedded = await run(project, cube, task, timezone)
            except BudgetSpentError as error:  # no failure: the queue waits for the next day, or a larger budget
                log.info("share_put_off", reason=error.message)
                await shares.record_wait(project, cube, task, error.message)
                await jobs.enqueue_embedding(project, cube)
                raise
            except UNAVAILABLE_ERRORS as error:  # it says nothing of the share, and is tried again until it answers
                log.warning("share_cut_short", reason=str(error).splitlines()[0][:300])
                raise
            except Exception as error:  # the edge of a job: whatever went wrong is counted and shown
                failures = await shares.count_failures(project, cube, task)
                is_final = backoff.is_last(error, failures)
                reason = _told(error, failures, is_final=is_final)
                await shares.record_failure(project, cube, task, reason, is_final=is_final)
                if is_final:  # its raw turns stay, so they are to have vectors
                    await jobs.enqueue_embedding(project, cube)
                raise FailedTryError(error, failures) from error
            if not are_embedded:
                await jobs.enqueue_embedding(project, cube)


def _told(error: Exception, failures: int, *, is_final: bool) -> str:
    """Log a try that failed; the reason, as the task's owner is told it."""
    reason = error.message if isinstance(error, MemcubedError) else f"internal error ({type(error).__name__})"
    is_expected = isinstance(error, MemcubedError)
    log.warning("share_failed", reason=reason, attempt=failures + 1, is_final=is_final, exc_info=not is_expected)
    return reason


def register_embedding_jobs(
    queue: procrastinate.App,
    embedding: EmbeddingService,
    projects: ProjectService,
    jobs: ProductionQueue,
    backoff: Backoff,
) -> None:
    """Teach the queue the jobs that fill in vectors.

    When the model fails they enqueue another job rather than raise: the queue can't put a job back while an equal one
    waits. What the database or the worker's end cuts short is put back all the same, or given up for the equal one.
    """

    @queue.task(name=EMBED_CUBE, retry=backoff)
    async def embed_cube(project_id: str, cube_id: str, failures: int = 0) -> None:
        project, cube = UUID(project_id), UUID(cube_id)
        try:
            await embedding.load()
            await embedding.embed_cube(project, cube)
        except ProviderError as error:
            log.warning("memories_not_embedded_yet", cube_id=cube_id, reason=error.message)
            if failures + 1 < _EMBED_ATTEMPTS:  # after that the hourly job goes on
                wait = backoff.wait_seconds(error, failures)
                await jobs.enqueue_embedding(project, cube, wait_seconds=wait, failures=failures + 1)

    @queue.periodic(cron="17 * * * *")
    @queue.task(name=EMBED_ALL, queueing_lock=EMBED_ALL, lock=EMBED_ALL, retry=backoff)
    async def embed_all(timestamp: int | None = None) -> None:  # noqa: ARG001 - the periodic scheduler passes it
        try:
            await embedding.load()
            for project in await projects.list_projects():
                async with projects.working_for(project.id):
                    with working(Work(project.id, EMBEDDING)):
                        done = await embedding.embed_project(project.id)
                if done:
                    log.info("memories_embedded", project_id=str(project.id), count=done)
        except ProviderError as error:
            log.warning("memories_not_embedded_yet", reason=error.message)
            await jobs.enqueue_embedding_of_all(wait_seconds=backoff.wait_seconds(error, _EMBED_ALL_FAILURES))


async def rescue_stalled_jobs(queue: procrastinate.App) -> None:
    """Give the jobs of workers that died back to the queue, for as long as this runs."""
    while True:
        try:
            for job in await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
                log.warning("stalled_job_rescued", job_id=job.id, job=job.task_name)
                await queue.job_manager.retry_job(job)
        except ConnectorException as error:
            log.warning("stalled_jobs_not_checked", reason=str(error.__cause__ or error))
        await asyncio.sleep(_RESCUE_EVERY_SECONDS)
