"""get/status and extract/memory."""

from typing import Annotated

from fastapi import APIRouter, Depends

from memcubed.contract.envelope import Envelope
from memcubed.errors import TaskNotFoundError
from memcubed.production.preview import PreviewService
from memcubed.production.schemas import ExtractMemoryData, ExtractMemoryRequest, GetStatusRequest, TaskData
from memcubed.production.tasks import TaskService
from memcubed.projects.authentication import Authenticate, KeyFirstRoute
from memcubed.projects.model import Project


def task_routes(tasks: TaskService, authenticate: Authenticate) -> APIRouter:
    """The task route, behind authentication."""
    router = APIRouter(tags=["tasks"], route_class=KeyFirstRoute)

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


def preview_routes(previews: PreviewService, authenticate: Authenticate) -> APIRouter:
    """The route that extracts without storing, behind authentication."""
    router = APIRouter(tags=["memories"], route_class=KeyFirstRoute)

    @router.post("/extract/memory")
    async def extract_memory(
        request: ExtractMemoryRequest, project: Annotated[Project, Depends(authenticate)]
    ) -> Envelope[ExtractMemoryData]:
        """What add/message would remember of these messages; nothing is stored."""
        return Envelope(data=await previews.extract(project, request))

    return router
