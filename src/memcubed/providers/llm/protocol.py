"""What every language model provider offers."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from memcubed.errors import ProviderError

AnswerT = TypeVar("AnswerT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Completion(Generic[AnswerT]):
    """A checked answer, and what it cost: every call made for it is counted, the failed ones too."""

    answer: AnswerT
    input_tokens: int = 0
    output_tokens: int = 0
    calls: int = 1


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

    async def close(self) -> None:
        """Give up connections; the model is not used afterwards."""
        ...
