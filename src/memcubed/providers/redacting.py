"""What stands before every model where texts are redacted: it sees none of what is stored otherwise.

Requests are redacted before they are stored; this is for what was stored before their project wanted that. `redact`
gives a text as the running work shows it to models.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from memcubed.providers.embeddings import Embedder, Vector
from memcubed.providers.llm.protocol import (
    AnswerT,
    ChatMessage,
    ChatOptions,
    Completion,
    LanguageModel,
    TextDelta,
    TextEnd,
)
from memcubed.providers.rerank import Reranker


class RedactingModel:
    """Implements LanguageModel around another one."""

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


class RedactingEmbedder:
    """Implements Embedder around another one."""

    def __init__(self, inner: Embedder, redact: Callable[[str], str]) -> None:
        self._inner = inner
        self._redact = redact

    @property
    def space(self) -> str:
        """The wrapped embedder's."""
        return self._inner.space

    @property
    def dimensions(self) -> int:
        """The wrapped embedder's."""
        return self._inner.dimensions

    async def load(self) -> None:
        """Load the wrapped embedder."""
        await self._inner.load()

    async def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """Ask the wrapped embedder."""
        return await self._inner.embed_documents([self._redact(text) for text in texts])

    async def embed_query(self, text: str) -> Vector:
        """Ask the wrapped embedder."""
        return await self._inner.embed_query(self._redact(text))

    async def close(self) -> None:
        """Close the wrapped embedder."""
        await self._inner.close()


class RedactingReranker:
    """Implements Reranker around another one."""

    def __init__(self, inner: Reranker, redact: Callable[[str], str]) -> None:
        self._inner = inner
        self._redact = redact

    async def score(self, query: str, documents: Sequence[str]) -> list[float]:
        """Ask the wrapped reranker."""
        return await self._inner.score(self._redact(query), [self._redact(text) for text in documents])

    async def close(self) -> None:
        """Close the wrapped reranker."""
        await self._inner.close()
