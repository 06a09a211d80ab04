"""How the calls to a model endpoint go: the last state of each, its failures counted, a span around each call."""

import math
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from memcubed.errors import ProviderError
from memcubed.providers.embeddings.protocol import Embedder, Vector
from memcubed.providers.llm.protocol import (
    AnswerT,
    ChatMessage,
    ChatOptions,
    Completion,
    LanguageModel,
    TextDelta,
    TextEnd,
)
from memcubed.providers.llm.vision import Description, VisionModel
from memcubed.providers.rerank.protocol import Reranker
from memcubed.tracing import Attribute, Tracing

_AS_GOOD_AS: Final = 0.9  # whoever gives up has begun to wait a little before the call


@dataclass(frozen=True, slots=True)
class LastCall:
    """How the last call that ended went, `seconds_ago`; without a call there is no `reason` and no time."""

    seconds_ago: float | None
    reason: str | None
    """Why it failed; None: it did not."""


class ProviderCalls:
    """What stands around the calls to one endpoint in this process; `provider` is `llm`, `embeddings` and the like.

    A call that is cancelled says nothing about the endpoint, unless it had lasted for as good as `patience_seconds`: so
    long do those wait who can do without an answer.
    """

    def __init__(
        self,
        provider: str,
        metrics: "ProviderMetrics",
        tracing: Tracing,
        *,
        patience_seconds: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._metrics = metrics
        self._tracing = tracing
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._ended_at: float | None = None
        self._reason: str | None = None
        metrics.failures.labels(provider)  # from 0, so that the first failure is an increase

    @property
    def last(self) -> LastCall:
        """How the last one went."""
        return LastCall(None if self._ended_at is None else self._clock() - self._ended_at, self._reason)

    @contextmanager
    def watch(self, name: str, model: str) -> Iterator[None]:
        """Around one call."""
        with self._timed(), self._tracing.span(name, self._attributes(model)):
            yield

    @contextmanager
    def watch_parts(self, name: str, model: str) -> Iterator[None]:
        """The same for an answer that a generator gives in parts, and that may be given up anywhere."""
        with self._timed(), self._tracing.span_in_parts(name, self._attributes(model)):
            yield

    def _attributes(self, model: str) -> dict[str, Attribute]:
        return {"memcubed.provider": self._provider, "memcubed.model": model}

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = self._clock()
        try:
            yield
        except ProviderError as error:
            self._end(started, error.message)
            raise
        except BaseException:
            seconds = self._clock() - started
            if seconds >= _AS_GOOD_AS * self._patience_seconds:
                self._end(started, f"no answer within {self._patience_seconds:g} s")
            else:
                self._metrics.seconds.labels(self._provider).observe(seconds)
            raise
        self._end(started, None)

    def _end(self, started: float, reason: str | None) -> None:
        self._ended_at, self._reason = self._clock(), reason
        self._metrics.seconds.labels(self._provider).observe(self._ended_at - started)
        if reason is not None:
            self._metrics.failures.labels(self._provider).inc()


class ProviderMetrics:
    """Times and failures of calls to model endpoints."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds = Histogram(
            "memcubed_provider_seconds",
            "Time of a call to a model endpoint.",
            ["provider"],
            registry=registry,
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
        )
        self.failures = Counter(
            "memcubed_provider_failures", "Calls to model endpoints that failed.", ["provider"], registry=registry
        )


class WatchedEmbedder:
    """Implements Embedder around another one whose calls are watched."""

    def __init__(self, inner: Embedder, calls: ProviderCalls) -> None:
        self._inner = inner
        self._calls = calls

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
        with self._calls.watch("try embeddings", self._name):
            await self._inner.load()

    async def close(self) -> None:
        """Close the wrapped embedder."""
        await self._inner.close()

    async def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """Ask the wrapped embedder."""
        with self._calls.watch("embed documents", self._name):
            return await self._inner.embed_documents(texts)

    async def embed_query(self, text: str) -> Vector:
        """Ask the wrapped embedder."""
        with self._calls.watch("embed query", self._name):
            return await self._inner.embed_query(text)

    @property
    def _name(self) -> str:
        try:
            return self._inner.space
        except ProviderError:
            return "unknown"


class WatchedModel:
    """Implements LanguageModel around another one whose calls are watched."""

    def __init__(self, inner: LanguageModel, calls: ProviderCalls) -> None:
        self._inner = inner
        self._calls = calls

    @property
    def name(self) -> str:
        """The wrapped model's."""
        return self._inner.name

    async def complete_json(
        self, *, system: str, user: str, answer: type[AnswerT], max_tokens: int, temperature: float = 0.0
    ) -> Completion[AnswerT]:
        """Ask the wrapped model."""
        with self._calls.watch("ask model", self.name):
            return await self._inner.complete_json(
                system=system, user=user, answer=answer, max_tokens=max_tokens, temperature=temperature
            )

    async def stream_text(
        self, messages: Sequence[ChatMessage], options: ChatOptions
    ) -> AsyncGenerator[TextDelta | TextEnd, None]:
        """Stream from the wrapped model."""
        with self._calls.watch_parts("ask model", options.model or self.name):
            async with aclosing(self._inner.stream_text(messages, options)) as items:
                async for item in items:
                    yield item

    async def close(self) -> None:
        """Close the wrapped model."""
        await self._inner.close()


class WatchedVision:
    """Implements VisionModel around another one whose calls are watched."""

    def __init__(self, inner: VisionModel, calls: ProviderCalls) -> None:
        self._inner = inner
        self._calls = calls

    @property
    def name(self) -> str:
        """The wrapped model's."""
        return self._inner.name

    async def describe(self, image: bytes, media_type: str, *, instructions: str) -> Description:
        """Ask the wrapped model."""
        with self._calls.watch("describe image", self.name):
            return await self._inner.describe(image, media_type, instructions=instructions)

    async def close(self) -> None:
        """Close the wrapped model."""
        await self._inner.close()


class WatchedReranker:
    """Implements Reranker around another one whose calls are watched; `name` is what spans call it."""

    def __init__(self, inner: Reranker, calls: ProviderCalls, *, name: str) -> None:
        self._inner = inner
        self._calls = calls
        self._name = name

    async def score(self, query: str, documents: Sequence[str]) -> list[float]:
        """Ask the wrapped reranker."""
        with self._calls.watch("rerank", self._name):
            return await self._inner.score(query, documents)

    async def close(self) -> None:
        """Close the wrapped reranker."""
        await self._inner.close()
