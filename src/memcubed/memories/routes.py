"""get/memory, update/memory and delete/memory."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from memcubed.contract.envelope import Envelope
from memcubed.memories.deleting import DeletionService
from memcubed.memories.library import MemoryLibrary
from memcubed.memories.requests import (
    DeleteMemoryRequest,
    GetMemoryData,
    GetMemoryRequest,
    SuccessData,
    UpdateMemoryRequest,
)
from memcubed.memories.schemas import AnyDetail
from memcubed.projects.authentication import Authenticate, KeyFirstRoute
from memcubed.projects.model import Project


def memory_routes(library: MemoryLibrary, deletions: DeletionService, authenticate: Authenticate) -> APIRouter:
    """The memory routes, behind authentication."""
    router = APIRouter(tags=["memories"], route_class=KeyFirstRoute)
    caller = Depends(authenticate)

    @router.post("/get/memory", response_model_exclude_none=True)
    async def get_memories(request: GetMemoryRequest, project: Annotated[Project, caller]) -> Envelope[GetMemoryData]:
        """A page of the memories of a user or an agent, each kind by itself, the newest first."""
        return Envelope(data=await library.list_page(project, request))

    @router.get("/get/memory/{memory_id}", response_model_exclude_none=True)
    async def get_memory(
        memory_id: str,
        project: Annotated[Project, caller],
        *,
        history: Annotated[bool, Query(description="Whether what the memory said before comes with it.")] = False,
    ) -> Envelope[AnyDetail]:
        """One memory, in the shape of its kind."""
        return Envelope(data=await library.get(project, memory_id, history=history))

    @router.post("/update/memory")
    async def update_memory(request: UpdateMemoryRequest, project: Annotated[Project, caller]) -> Envelope[SuccessData]:
        """Change a memory; what it said before stays in its history."""
        return Envelope(data=await library.update(project, request))

    @router.post("/delete/memory")
    async def delete_memory(request: DeleteMemoryRequest, project: Annotated[Project, caller]) -> Envelope[SuccessData]:
        """Delete memories, or everything of a user or an agent, for good."""
        return Envelope(data=await deletions.delete(project, request))

    return router
