"""The queue's part in attribution: whatever model a job calls is counted for the job's project and task."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from procrastinate import JobContext
from procrastinate.worker import Worker

from memcubed.usage.attribution import Work, purpose_of_job, working


async def attribute_job(call_next: Callable[[], Awaitable[Any]], context: JobContext, _worker: Worker) -> Any:  # noqa: ANN401 - as the queue has it
    """Worker middleware: run a job as the work of the project and task in its arguments."""
    arguments = context.job.task_kwargs
    project_id, task_id = arguments.get("project_id"), arguments.get("task_id")
    if not isinstance(project_id, str):
        return await call_next()
    task = UUID(task_id) if isinstance(task_id, str) else None
    with working(Work(UUID(project_id), purpose_of_job(context.job.task_name), task)):
        return await call_next()
