"""chat."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from memcubed.chat.event_stream import EventStream, HungUpError, no_one_there, unless_hung_up
from memcubed.chat.schemas import ChatData, ChatEvent, ChatRequest
from memcubed.chat.service import ChatService
from memcubed.contract.envelope import Envelope
from memcubed.errors import MemcubedError
from memcubed.projects.authentication import Authenticate, KeyFirstRoute
from memcubed.projects.model import Project
from memcubed.providers.llm import TextDelta

_EVENT: Final = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": ChatEvent.model_json_schema(),
        }
    },
}
"""An event, in the form that OpenAPI gives to those of a stream."""

_STREAMED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The answer; with `stream`, server-sent events whose data are of the form of ChatEvent.",
        "content": {"text/event-stream": {"schema": _EVENT}},
    }
}

log = structlog.get_logger(__name__)


def chat_routes(chats: ChatService, authenticate: Authenticate) -> APIRouter:
    """The chat route, behind authentication."""
    router = APIRouter(tags=["chat"], route_class=KeyFirstRoute)

    @router.post("/chat", response_model=Envelope[ChatData], responses=_STREAMED)
    async def chat(
        body: ChatRequest, project: Annotated[Project, Depends(authenticate)], request: Request
    ) -> Envelope[ChatData] | Response:
        """An answer of the language model, with what is remembered in view."""
        try:
            if body.stream:
                return EventStream(await unless_hung_up(request, _begun(chats.stream(project, body))))
            return Envelope(data=ChatData(response=await unless_hung_up(request, chats.answer(project, body))))
        except HungUpError:
            return no_one_there()

    return router


async def _begun(deltas: AsyncGenerator[TextDelta, None]) -> AsyncGenerator[str, None]:
    """The events of an answer whose first piece is there: what fails before is answered as any failure is."""
    first = await anext(deltas, None)

    async def events() -> AsyncGenerator[str, None]:
        async with aclosing(deltas):
            failed = False
            if first is not None:
                yield _event(ChatEvent(type=first.kind.value, data=first.text))
            try:
                async for delta in deltas:
                    yield _event(ChatEvent(type=delta.kind.value, data=delta.text))
            except MemcubedError as error:
                failed = True
                yield _event(ChatEvent(type="error", data=error.message, code=error.code))
            except Exception:  # the edge of the process: the status is sent already
                log.exception("chat_stream_failed")
                failed = True
                yield _event(
                    ChatEvent(type="error", data="Internal error; the server's log has the details.", code=50000)
                )
            yield _event(ChatEvent(type="end", data="error" if failed else ""))

    return events()


def _event(event: ChatEvent) -> str:
    return event.model_dump_json(exclude_none=True)
