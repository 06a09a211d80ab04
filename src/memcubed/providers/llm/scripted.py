"""A language model that answers from a script: for tests, demonstrations and the development of prompts."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from memcubed.errors import ProviderError
from memcubed.providers.llm.protocol import (
    AnswerT,
    ChatMessage,
    ChatOptions,
    Completion,
    DeltaKind,
    TextDelta,
    TextEnd,
)
from memcubed.providers.llm.tolerant_json import parse_tolerantly


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """What the model was asked."""

    system: str
    user: str
    answer: type[BaseModel]
    max_tokens: int
    temperature: float


@dataclass(frozen=True, slots=True)
class ScriptedChat:
    """What the model was asked in a chat."""

    messages: tuple[ChatMessage, ...]
    options: ChatOptions


ScriptedAnswer = object
"""Data, or a string of JSON, or an exception to raise; in a chat a string, or a list of strings, deltas, exceptions."""


class ScriptedModel:
    """Implements LanguageModel. `script` is a sequence of answers, used up in order, or a callable that makes them.

    `chats` are the answers to chats, in order. What was asked is recorded in `calls` and `chats`. A string is read
    as a real model's text would be; other data is checked against the form asked for. An answer that does not fit it,
    or an empty script, raises ProviderError.
    """

    def __init__(
        self,
        script: Iterable[ScriptedAnswer] | Callable[[ScriptedCall], ScriptedAnswer] = (),
        *,
        chats: Iterable[ScriptedAnswer] = (),
        name: str = "scripted",
        input_tokens: int = 100,
        output_tokens: int = 20,
    ) -> None:
        self.name = name
        self.calls: list[ScriptedCall] = []
        self.chats: list[ScriptedChat] = []
        self.closed = False
        self._script = script if callable(script) else None
        self._queue = [] if callable(script) else list(script)
        self._chat_queue = list(chats)
        self._input_tokens = input_tokens
        self._output_tokens = output_tokens

    async def complete_json(
        self, *, system: str, user: str, answer: type[AnswerT], max_tokens: int, temperature: float = 0.0
    ) -> Completion[AnswerT]:
        """Give the next answer of the script."""
        call = ScriptedCall(system, user, answer, max_tokens, temperature)
        self.calls.append(call)
        said = self._script(call) if self._script is not None else _next(self._queue)
        if isinstance(said, BaseException):
            raise said
        try:
            checked = answer.model_validate(parse_tolerantly(said) if isinstance(said, str) else said)
        except ValueError as error:
            raise ProviderError("the scripted model's answer does not have the form asked for") from error
        return Completion(checked, self._input_tokens, self._output_tokens)

    async def stream_text(
        self, messages: Sequence[ChatMessage], options: ChatOptions
    ) -> AsyncGenerator[TextDelta | TextEnd, None]:
        """Stream the next answer of the script: a string line by line, a list item by item."""
        chat = ScriptedChat(tuple(messages), options)
        self.chats.append(chat)
        said = _next(self._chat_queue)
        if isinstance(said, BaseException):
            raise said
        for part in said if isinstance(said, list) else str(said).splitlines(keepends=True):
            if isinstance(part, BaseException):
                raise part
            yield part if isinstance(part, TextDelta) else TextDelta(DeltaKind.TEXT, str(part))
        yield TextEnd(self._input_tokens, self._output_tokens)

    async def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


def _next(queue: list[ScriptedAnswer]) -> ScriptedAnswer:
    if not queue:
        raise ProviderError("the script of the scripted model is used up", retryable=False)
    return queue.pop(0)
