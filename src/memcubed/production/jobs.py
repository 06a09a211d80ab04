"""The jobs of production, as the queue runs them: ids only, safe to run twice, with a visible end."""

import asyncio
from typing import Final
from uuid import UUID

import procrastinate
import structlog
from procrastinate.exceptions import AlreadyEnqueued
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.errors import MemcubedError, ProviderError
from memcubed.production.embedding import EmbeddingService
from memcubed.production.service import ProductionService
from memcubed.projects.service import ProjectService
from memcubed.store.cubes import Cube
from memcubed.store.queue import STALLED_AFTER_SECONDS, Backoff
from memcubed.store.session import driver_connection

RUN_SHARE: Final = "production.run_share"
EMBED_CUBE: Final = "production.embed_cube"
EMBED_ALL: Final = "production.embed_all"

_EMBED_ATTEMPTS: Final = 20
_RESCUE_EVERY_SECONDS: Final = 5.0

log = structlog.get_logger()


class ProductionQueue:
    """Puts production's jobs on the queue."""

    def __init__(self, queue: procrastinate.App) -> None:
        self._queue = queue

    async def enqueue_share(self, connection: AsyncConnection, cube: Cube, task_id: UUID) -> None:
        """On the caller's transaction: the job exists if, and only if, its messages do."""
        job = self._queue.configure_task(
            RUN_SHARE, lock=str(cube.id), connection=await driver_connection(connection), allow_unknown=True
        )
        await job.defer_async(project_id=str(cube.project_id), cube_id=str(cube.id), task_id=str(task_id))

    async def enqueue_embedding(self, project_id: UUID, cube_id: UUID) -> None:
        """Fill in a cube's missing vectors when the model answers again; once, however often it is asked for."""
        job = self._queue.configure_task(EMBED_CUBE, queueing_lock=f"embed {cube_id}", allow_unknown=True)
        try:
            await job.defer_async(project_id=str(project_id), cube_id=str(cube_id))
        except AlreadyEnqueued:
            log.debug("embedding_already_enqueued", cube_id=str(cube_id))

    async def enqueue_embedding_of_all(self) -> None:
        """Fill in whatever has no vector in the current space, as after a change of model."""
        try:
            await self._queue.configure_task(EMBED_ALL, queueing_lock=EMBED_ALL, allow_unknown=True).defer_async()
        except AlreadyEnqueued:
            log.debug("embedding_of_all_already_enqueued")


def register_jobs(
    queue: procrastinate.App,
    production: ProductionService,
    embedding: EmbeddingService,
    projects: ProjectService,
    jobs: ProductionQueue,
    backoff: Backoff,
) -> None:
    """Teach the queue to run production's jobs in this process."""

    @queue.task(name=RUN_SHARE, retry=backoff, pass_context=True)
    async def run_share(context: procrastinate.JobContext, project_id: str, cube_id: str, task_id: str) -> None:
        project, cube, task = UUID(project_id), UUID(cube_id), UUID(task_id)
        attempts = context.job.attempts
        with structlog.contextvars.bound_contextvars(task_id=task_id):
            if attempts >= backoff.attempts:
                # Every try ended with the worker's death, so none could say so.
                await production.record_failure(project, cube, task, "The worker died at every try.", is_final=True)
                return
            try:
                timezone = await projects.get_timezone(project)
                are_embedded = await production.run_share(project, cube, task, timezone)
            except Exception as error:  # the edge of a job: whatever went wrong is counted and shown
                reason = (
                    error.message if isinstance(error, MemcubedError) else f"internal error ({type(error).__name__})"
                )
                is_final = backoff.is_last(error, attempts)
                log.warning(
                    "share_failed",
                    reason=reason,
                    attempt=attempts + 1,
                    is_final=is_final,
                    exc_info=not isinstance(error, MemcubedError),
                )
                await production.record_failure(project, cube, task, reason, is_final=is_final)
                raise
            if not are_embedded:
                await jobs.enqueue_embedding(project, cube)

    embed_backoff = Backoff(attempts=_EMBED_ATTEMPTS, first_wait_seconds=backoff.first_wait_seconds)

    @queue.task(name=EMBED_CUBE, retry=embed_backoff)
    async def embed_cube(project_id: str, cube_id: str) -> None:
        await embedding.embed_cube(UUID(project_id), UUID(cube_id))

    @queue.periodic(cron="17 * * * *")
    @queue.task(name=EMBED_ALL, queueing_lock=EMBED_ALL, lock=EMBED_ALL)
    async def embed_all(timestamp: int | None = None) -> None:  # noqa: ARG001 - the periodic scheduler passes it
        for project in await projects.list_projects():
            try:
                done = await embedding.embed_project(project.id)
            except ProviderError as error:
                log.warning("memories_not_embedded_yet", reason=error.message)
                return  # the next hour, or the next start, goes on
            if done:
                log.info("memories_embedded", project_id=str(project.id), count=done)


async def rescue_stalled_jobs(queue: procrastinate.App) -> None:
    """Give the jobs of workers that died back to the queue, for as long as this runs."""
    while True:
        try:
            for job in await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
                log.warning("stalled_job_rescued", job_id=job.id, job=job.task_name)
                await queue.job_manager.retry_job(job)
        except procrastinate.exceptions.ConnectorException as error:
            log.warning("stalled_jobs_not_checked", reason=str(error))
        await asyncio.sleep(_RESCUE_EVERY_SECONDS)
