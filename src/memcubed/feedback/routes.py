"""add/feedback."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header

from memcubed.contract.envelope import Envelope
from memcubed.feedback.schemas import AddFeedbackRequest
from memcubed.feedback.service import FeedbackService
from memcubed.messages.routes import MAX_IDEMPOTENCY_KEY_CHARACTERS
from memcubed.messages.schemas import AddMessageData
from memcubed.projects.authentication import Authenticate, KeyFirstRoute
from memcubed.projects.model import Project


def feedback_routes(feedback: FeedbackService, authenticate: Authenticate) -> APIRouter:
    """The feedback route, behind authentication."""
    router = APIRouter(tags=["memories"], route_class=KeyFirstRoute)

    @router.post("/add/feedback")
    async def add_feedback(
        request: AddFeedbackRequest,
        project: Annotated[Project, Depends(authenticate)],
        idempotency_key: Annotated[str | None, Header(max_length=MAX_IDEMPOTENCY_KEY_CHARACTERS, min_length=1)] = None,
    ) -> Envelope[AddMessageData]:
        """Correct what is remembered: a statement, or a word wherever it stands."""
        return Envelope(data=await feedback.add(project, request, idempotency_key))

    return router
