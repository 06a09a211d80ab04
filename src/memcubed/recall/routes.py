"""search/memory."""

from typing import Annotated

from fastapi import APIRouter, Depends

from memcubed.contract.envelope import Envelope
from memcubed.projects.authentication import Authenticate
from memcubed.projects.model import Project
from memcubed.recall.schemas import SearchData, SearchRequest
from memcubed.recall.service import RecallService


def recall_routes(recall: RecallService, authenticate: Authenticate) -> APIRouter:
    """The search route, behind authentication."""
    router = APIRouter(tags=["recall"])

    @router.post("/search/memory", response_model_exclude_none=True)
    async def search_memory(
        request: SearchRequest, project: Annotated[Project, Depends(authenticate)]
    ) -> Envelope[SearchData]:
        """The few memories that matter for a query."""
        return Envelope(data=await recall.search(project, request))

    return router
