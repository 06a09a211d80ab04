"""search/memory and rerank."""

from typing import Annotated

from fastapi import APIRouter, Depends

from memcubed.contract.envelope import Envelope
from memcubed.projects.authentication import Authenticate, KeyFirstRoute
from memcubed.projects.model import Project
from memcubed.recall.rerank import RerankService
from memcubed.recall.schemas import RerankAnswer, RerankRequest, SearchData, SearchRequest
from memcubed.recall.service import RecallService


def recall_routes(recall: RecallService, reranks: RerankService, authenticate: Authenticate) -> APIRouter:
    """The routes that search and rank, behind authentication."""
    router = APIRouter(tags=["recall"], route_class=KeyFirstRoute)

    @router.post("/search/memory", response_model_exclude_none=True)
    async def search_memory(
        request: SearchRequest, project: Annotated[Project, Depends(authenticate)]
    ) -> Envelope[SearchData]:
        """The few memories that matter for a query."""
        return Envelope(data=await recall.search(project, request))

    @router.post("/rerank")
    async def rerank(request: RerankRequest, project: Annotated[Project, Depends(authenticate)]) -> RerankAnswer:
        """Documents in the order of their relevance to a query; the one answer that comes without the envelope."""
        return await reranks.rerank(project, request)

    return router
