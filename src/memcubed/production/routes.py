"""get/status."""

from typing import Annotated

from fastapi import APIRouter, Depends

from memcubed.contract.envelope import Envelope
from memcubed.errors import TaskNotFoundError
from memcubed.production.schemas import GetStatusRequest, TaskData
from memcubed.production.tasks import TaskService
from memcubed.projects.authentication import Authenticate
from memcubed.projects.model import Project


def task_routes(tasks: TaskService, authenticate: Authenticate) -> APIRouter:
    """The task route, behind authentication."""
    router = APIRouter(tags=["tasks"])

    @router.post("/get/status")
    async def get_status(
        request: GetStatusRequest, project: Annotated[Project, Depends(authenticate)]
    ) -> Envelope[TaskData]:
        """How a task stands, and what came of it."""
        task_id = request.find_uuid()
        if task_id is None:
            raise TaskNotFoundError(f"There is no task {request.task_id[:100]!r}.")
        return Envelope(data=TaskData.of(await tasks.get(project.id, task_id)))

    return router
