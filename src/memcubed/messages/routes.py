"""add/message and get/message."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header

from memcubed.contract.envelope import Envelope
from memcubed.messages.schemas import AddMessageData, AddMessageRequest, GetMessageData, GetMessageRequest
from memcubed.messages.service import MessageService
from memcubed.projects.authentication import Authenticate, KeyFirstRoute
from memcubed.projects.model import Project

MAX_IDEMPOTENCY_KEY_CHARACTERS = 200


def message_routes(messages: MessageService, authenticate: Authenticate) -> APIRouter:
    """The message routes, behind authentication."""
    router = APIRouter(tags=["messages"], route_class=KeyFirstRoute)
    caller = Depends(authenticate)

    @router.post("/add/message")
    async def add_message(
        request: AddMessageRequest,
        project: Annotated[Project, caller],
        idempotency_key: Annotated[str | None, Header(max_length=MAX_IDEMPOTENCY_KEY_CHARACTERS, min_length=1)] = None,
    ) -> Envelope[AddMessageData]:
        """Post a conversation, or its newest part; the service turns it into memories.

        With an `Idempotency-Key` header the request takes effect once, however often it is sent.
        """
        return Envelope(data=await messages.add(project, request, idempotency_key))

    @router.post("/get/message")
    async def get_message(request: GetMessageRequest, project: Annotated[Project, caller]) -> Envelope[GetMessageData]:
        """The newest messages of a conversation, oldest first."""
        return Envelope(data=await messages.list_newest(project, request))

    return router
