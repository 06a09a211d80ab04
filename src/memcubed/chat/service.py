"""Answering a query from what is remembered."""

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import structlog

from memcubed.chat.prompt import Said, render_chat
from memcubed.chat.schemas import ChatRequest
from memcubed.clock import Clock
from memcubed.errors import (
    InvalidRequestError,
    NotConfiguredError,
    ProviderError,
    RequestTooLargeError,
    ServiceUnavailableError,
)
from memcubed.language.tokens import estimate_tokens
from memcubed.messages.schemas import GetMessageRequest
from memcubed.messages.service import MessageService
from memcubed.projects.input_limit import InputLimit
from memcubed.projects.model import Project
from memcubed.providers.llm import (
    ChatMessage,
    ChatOptions,
    DeltaKind,
    LanguageModel,
    TextDelta,
    TextEnd,
    TooLongForModelError,
)
from memcubed.providers.llm.untrusted import new_nonce
from memcubed.recall.service import RecallService

HISTORY_MESSAGES: Final = 12
"""How many of the conversation's newest messages the model is shown, as far as they fit."""

log = structlog.get_logger(__name__)


class ChatService:
    """Recalls, asks the language model, and adds the exchange to the conversation.

    `model` is None where no language model is configured; `other_models` are those that requests may name instead.
    `max_tokens` bounds query and system prompt together.
    """

    def __init__(
        self,
        model: LanguageModel | None,
        recall: RecallService,
        messages: MessageService,
        input_limit: InputLimit,
        clock: Clock,
        *,
        max_tokens: int,
        other_models: frozenset[str] = frozenset(),
    ) -> None:
        self._model = model
        self._recall = recall
        self._messages = messages
        self._input_limit = input_limit
        self._clock = clock
        self._max_tokens = max_tokens
        self._other_models = other_models

    async def stream(self, project: Project, request: ChatRequest) -> AsyncGenerator[TextDelta, None]:
        """The answer, piece by piece. When the iterator ends, the exchange is stored; when it is closed, nothing is.

        Raises NotConfiguredError when there is no model, ServiceUnavailableError when it fails, and what recall raises.
        """
        model = self._model
        if model is None:
            raise NotConfiguredError(
                "Chat needs a language model, and none is configured; the operator sets MEMCUBED_LLM_MODEL."
            )
        options = ChatOptions(request.max_tokens, request.temperature, request.top_p, self._choose(request, model))
        if request.add_message_on_answer:
            await self._messages.check_bases(project, request.allow_knowledgebase_ids)
        shown = await self._prepare(project, request)
        said: list[str] = []
        try:
            async with aclosing(model.stream_text(shown, options)) as items:
                async for item in items:
                    if isinstance(item, TextEnd):
                        _log_end(project, item)
                        continue
                    if item.kind is DeltaKind.TEXT:
                        said.append(item.text)
                    yield item
        except TooLongForModelError as error:
            raise RequestTooLargeError(
                f"{_sentence(error.message)} Send less query and system_prompt, or ask for fewer memories."
            ) from error
        except ProviderError as error:
            log.warning("chat_failed", reason=error.message)
            wait = 1 if error.retry_after is None else max(1, math.ceil(error.retry_after))
            raise ServiceUnavailableError(f"No answer: {error.message}.", retry_after=wait) from error
        if request.add_message_on_answer:
            await self._messages.add_answered(project, request.exchange("".join(said)))

    async def answer(self, project: Project, request: ChatRequest) -> str:
        """The whole answer; the exchange is stored before it is given."""
        async with aclosing(self.stream(project, request)) as deltas:
            return "".join([delta.text async for delta in deltas if delta.kind is DeltaKind.TEXT])

    def _choose(self, request: ChatRequest, model: LanguageModel) -> str | None:
        name = request.model_name
        if not name or name == model.name:
            return None
        if name not in self._other_models:
            allowed = ", ".join(sorted({model.name, *self._other_models}))
            raise InvalidRequestError(f"model_name {name[:100]!r} is not allowed here; leave it out, or use {allowed}.")
        return name

    async def _prepare(self, project: Project, request: ChatRequest) -> list[ChatMessage]:
        prompt = request.system_prompt or ""
        total = estimate_tokens(request.query) + estimate_tokens(prompt)
        if total > self._max_tokens:
            raise RequestTooLargeError(
                f"query and system_prompt have about {total} tokens together; at most {self._max_tokens} are allowed."
            )
        await self._input_limit.take(project.id, estimate_tokens(prompt))  # recall counts the query
        newest = GetMessageRequest(
            user_id=request.user_id,
            conversation_id=request.conversation_id,
            message_limit_number=HISTORY_MESSAGES,
        )
        memories, history = await asyncio.gather(
            self._recall.search(project, request), self._messages.list_texts(project, newest)
        )
        return render_chat(
            request.query,
            system_prompt=request.system_prompt,
            history=[Said(*message) for message in history],
            memories=memories,
            now=self._clock().astimezone(project.timezone),
            nonce=new_nonce(),
        )


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:]}."


def _log_end(project: Project, end: TextEnd) -> None:
    log.info(
        "chat_answered",
        project_id=str(project.id),
        input_tokens=end.input_tokens,
        output_tokens=end.output_tokens,
        is_estimated=end.is_estimated,
        is_cut=end.is_cut,
    )
