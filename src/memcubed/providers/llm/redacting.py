"""What stands before every language model where texts are redacted: it sees none of what is stored otherwise."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from memcubed.providers.llm.protocol import (
    AnswerT,
    ChatMessage,
    ChatOptions,
    Completion,
    LanguageModel,
    TextDelta,
    TextEnd,
)


class RedactingModel:
    """Implements LanguageModel around another one. `redact` gives a text as the running work shows it to models.

    Requests are redacted before they are stored; this is for what was stored before their project wanted that.
    """

    def __init__(self, inner: LanguageModel, redact: Callable[[str], str]) -> None:
        self._inner = inner
        self._redact = redact

    @property
    def name(self) -> str:
        """The wrapped model's."""
        return self._inner.name

    async def complete_json(
        self, *, system: str, user: str, answer: type[AnswerT], max_tokens: int, temperature: float = 0.0
    ) -> Completion[AnswerT]:
        """Ask the wrapped model."""
        return await self._inner.complete_json(
            system=system, user=self._redact(user), answer=answer, max_tokens=max_tokens, temperature=temperature
        )

    async def stream_text(
        self, messages: Sequence[ChatMessage], options: ChatOptions
    ) -> AsyncGenerator[TextDelta | TextEnd, None]:
        """Stream from the wrapped model."""
        shown = [replace(message, content=self._redact(message.content)) for message in messages]
        async with aclosing(self._inner.stream_text(shown, options)) as items:
            async for item in items:
                yield item

    async def close(self) -> None:
        """Close the wrapped model."""
        await self._inner.close()
