"""What every language model provider offers."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from memcubed.errors import ProviderError

AnswerT = TypeVar("AnswerT", bound=BaseModel)


Credit = Callable[[Mapping[str, int]], None]
"""Told what came of an answer: characters of the memories' texts by kind of memory. Says for what its cost was paid."""


def uncredited(gave: Mapping[str, int]) -> None:
    """The credit of an answer whose cost nobody divides."""


@dataclass(frozen=True, slots=True)
class Completion(Generic[AnswerT]):
    """A checked answer, and what it cost: every call made for it is counted, the failed ones too.

    Who makes memories of it says so once, by `credit`.
    """

    answer: AnswerT
    input_tokens: int = 0
    output_tokens: int = 0
    calls: int = 1
    credit: Credit = field(default=uncredited, compare=False, repr=False)


class ChatRole(StrEnum):
    """Who a chat's message is from, as the model is told."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a chat, as the model is shown it."""

    role: ChatRole
    content: str


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How a chat is answered. `model` is another model of the same endpoint, instead of the configured one.

    `max_tokens` bounds the answer, reasoning included where the endpoint counts it.
    """

    max_tokens: int
    temperature: float = 0.7
    top_p: float = 0.95
    model: str | None = None


class DeltaKind(StrEnum):
    """What a piece of a streamed answer belongs to."""

    REASONING = "reasoning"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of a streamed answer, never empty; any character a database can store."""

    kind: DeltaKind
    text: str


@dataclass(frozen=True, slots=True)
class TextEnd:
    """The last item of a stream that came to its end, and what it cost.

    `is_estimated` says that the endpoint did not count, and the tokens are a quarter of the bytes. `is_cut` says that
    `max_tokens` ended the answer.
    """

    input_tokens: int
    output_tokens: int
    is_estimated: bool = False
    is_cut: bool = False


class TooLongForModelError(ProviderError):
    """The question does not fit the model's context, or its answer the token budget, even a doubled one.

    The same question would fail again; a shorter one may not.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


class LanguageModel(Protocol):
    """Answers with data of a given form. Raises ProviderError when the endpoint or its answer is of no use."""

    @property
    def name(self) -> str:
        """The model's name, as the endpoint knows it."""
        ...

    async def complete_json(
        self, *, system: str, user: str, answer: type[AnswerT], max_tokens: int, temperature: float = 0.0
    ) -> Completion[AnswerT]:
        """Ask once; `answer` gives the JSON schema and checks what comes back.

        `system` holds only what the service itself says; whatever users wrote belongs into `user`.
        Raises TooLongForModelError when `user` is too long, or the answer longer than `max_tokens` allow.
        """
        ...

    def stream_text(
        self, messages: Sequence[ChatMessage], options: ChatOptions
    ) -> AsyncGenerator[TextDelta | TextEnd, None]:
        """Answer a chat piece by piece; a TextEnd is the last item.

        Closing it before (`aclose`), or cancelling the task that waits for it, closes the connection, so
        that the endpoint stops. Raises ProviderError at any item, TooLongForModelError before the first.
        """
        ...

    async def close(self) -> None:
        """Give up connections; the model is not used afterwards."""
        ...
