"""The job of knowledge bases, as the queue runs it: ids only, safe to run twice, with a visible end."""

from typing import Final
from uuid import UUID

import procrastinate
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.errors import FetchError, MemcubedError, ProviderError, ServiceUnavailableError
from memcubed.knowledge.processing import FileProcessor
from memcubed.production.jobs import ProductionQueue
from memcubed.store.cubes import Cube
from memcubed.store.queue import Backoff, FailedTryError
from memcubed.store.session import UNAVAILABLE_ERRORS, driver_connection

READ_FILE: Final = "knowledge.read_file"

log = structlog.get_logger(__name__)


class KnowledgeQueue:
    """Puts knowledge bases' jobs on the queue."""

    def __init__(self, queue: procrastinate.App) -> None:
        self._queue = queue

    async def enqueue_file(self, connection: AsyncConnection, cube: Cube, file_id: UUID) -> None:
        """On the caller's transaction: the job exists if, and only if, its file does."""
        job = self._queue.configure_task(
            READ_FILE, lock=str(cube.id), connection=await driver_connection(connection), allow_unknown=True
        )
        await job.defer_async(project_id=str(cube.project_id), cube_id=str(cube.id), file_id=str(file_id))


def register_jobs(
    queue: procrastinate.App, processor: FileProcessor, production: ProductionQueue, backoff: Backoff
) -> None:
    """Teach the queue to read files in this process."""

    @queue.task(name=READ_FILE, retry=backoff, pass_context=True)
    async def read_file(context: procrastinate.JobContext, project_id: str, cube_id: str, file_id: str) -> None:
        project, cube, file = UUID(project_id), UUID(cube_id), UUID(file_id)
        with structlog.contextvars.bound_contextvars(file_id=file_id):
            if context.job.attempts >= backoff.bound:
                reason = "Every try was cut short: the worker ended, or the database did not answer."
                await processor.record_failure(project, cube, file, reason, is_final=True)
                return
            try:
                are_embedded = await processor.process(project, cube, file)
            except UNAVAILABLE_ERRORS as error:  # it says nothing of the file, and is tried again until it answers
                log.warning("file_cut_short", reason=str(error).splitlines()[0][:300])
                raise
            except Exception as error:  # the edge of a job: whatever went wrong is counted and shown
                failures = await processor.count_failures(project, cube, file)
                is_final = _is_final(error) or backoff.is_last(error, failures)
                await processor.record_failure(
                    project, cube, file, _told(error, failures, is_final=is_final), is_final=is_final
                )
                if _is_final(error):
                    return
                raise FailedTryError(error, failures) from error
            if not are_embedded:
                await production.enqueue_embedding(project, cube)


def _is_final(error: Exception) -> bool:
    """Whether another try would end in the same way: the file is what it is."""
    if isinstance(error, FetchError):
        return not error.retryable
    return isinstance(error, MemcubedError) and not isinstance(error, ProviderError | ServiceUnavailableError)


def _told(error: Exception, failures: int, *, is_final: bool) -> str:
    reason = error.message if isinstance(error, MemcubedError) else f"internal error ({type(error).__name__})"
    is_expected = isinstance(error, MemcubedError)
    log.warning("file_failed", reason=reason, attempt=failures + 1, is_final=is_final, exc_info=not is_expected)
    return reason
