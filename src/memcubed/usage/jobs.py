"""The queue's part in attribution: whatever model a job calls is counted for the job's project and task."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from procrastinate import JobContext
from procrastinate.worker import Worker

from memcubed.errors import BudgetSpentError, ProviderError
from memcubed.store.queue import FailedTryError
from memcubed.store.session import UNAVAILABLE_ERRORS
from memcubed.usage.attribution import Answers, Work, purpose_of_job, working
from memcubed.usage.service import UsageService


class JobAttribution:
    """Worker middleware: runs a job as the work of the project and task in its arguments.

    What the model answered to a job that did not end well is kept for its next try, so that a try that the budget cut
    short gets further each time, and a failed one does not pay twice.
    """

    def __init__(self, usage: UsageService) -> None:
        self._usage = usage

    async def run(self, call_next: Callable[[], Awaitable[Any]], context: JobContext, _worker: Worker) -> Any:  # noqa: ANN401 - as the queue has it
        """Run a job."""
        project, cube, task = (_id(context, name) for name in ("project_id", "cube_id", "task_id"))
        if project is None:
            return await call_next()
        answers, is_repeated = Answers(), context.job.attempts > 0
        if cube is not None and is_repeated:
            answers.earlier = await self._usage.list_answers(project, cube)
        with working(Work(project, purpose_of_job(context.job.task_name), task, answers)):
            try:
                result = await call_next()
            except Exception as error:  # goes on below: whatever it was, what has been paid for may be kept
                if cube is not None:
                    await self._keep(project, cube, answers, error)
                raise
        if cube is not None and answers.earlier:
            await self._usage.forget_answers(project, cube, list(answers.earlier))
        await self._usage.write_rest()
        return result

    async def _keep(self, project_id: UUID, cube_id: UUID, answers: Answers, error: Exception) -> None:
        cause = error.cause if isinstance(error, FailedTryError) else error
        if not isinstance(cause, (BudgetSpentError, ProviderError, *UNAVAILABLE_ERRORS)):
            await self._usage.forget_answers(project_id, cube_id, list(answers.earlier))  # they may be the reason
        elif answers.new:
            await self._usage.keep_answers(project_id, cube_id, answers.new)


def _id(context: JobContext, name: str) -> UUID | None:
    value = context.job.task_kwargs.get(name)
    return UUID(value) if isinstance(value, str) else None
