"""The queue's part in projects: a job knows the project that it works for."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from procrastinate import JobContext
from procrastinate.worker import Worker

from memcubed.projects.service import ProjectService


class ProjectJobs:
    """Worker middleware."""

    def __init__(self, projects: ProjectService) -> None:
        self._projects = projects

    async def run(self, call_next: Callable[[], Awaitable[Any]], context: JobContext, _worker: Worker) -> Any:  # noqa: ANN401 - as the queue has it
        """Run a job with what it reads redacted, if the project in its arguments wants that."""
        project_id = context.job.task_kwargs.get("project_id")
        if not isinstance(project_id, str):
            return await call_next()
        async with self._projects.working_for(UUID(project_id)):
            return await call_next()
