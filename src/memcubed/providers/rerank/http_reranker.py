"""Rerankers behind the common `/rerank` protocol: Cohere, Jina, vLLM, Text Embeddings Inference and their kin."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx
import structlog
from pydantic import JsonValue, ValidationError

from memcubed.providers.embeddings.safe_text import replace_unsafe
from memcubed.providers.rerank.dialect import Dialect, Entry, read_entries
from memcubed.providers.rerank.failures import status_error, timeout_error, unreachable, unusable_answer

# What rounding may add to a probability.
_SLACK: Final = 1e-3

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RerankEndpoint:
    """Where a reranker is served. `timeout` bounds the scoring of one query as a whole, in seconds.

    Servers of a single model need no `model`; those without keys no `api_key`.
    """

    base_url: str
    model: str | None = None
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 1.0


class HttpReranker:
    """Implements Reranker.

    Texts are cut at `max_characters`, since some models refuse more than 512 tokens. Nothing is tried again: a search
    does not wait for that. What the endpoint does not support is learnt from its refusals and remembered by the
    instance; so is that its scores are logits, once one is no probability, and all are squashed by a logistic then.
    """

    def __init__(self, endpoint: RerankEndpoint, *, max_characters: int = 2000) -> None:
        self._endpoint = endpoint
        self._url = f"{endpoint.base_url.rstrip('/')}/rerank"
        self._host = urlsplit(endpoint.base_url).hostname or "an unnamed host"
        self._max_characters = max_characters
        self._dialect = Dialect()
        self._gives_logits = False
        headers = {} if endpoint.api_key is None else {"Authorization": f"Bearer {endpoint.api_key}"}
        # without a limit of its own: `score` bounds all that is done for one query
        self._client = httpx.AsyncClient(headers=headers, timeout=None)  # noqa: S113

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def score(self, query: str, documents: Sequence[str]) -> list[float]:
        """One score from 0 to 1 a document, in order; no call when there are none."""
        if not documents:
            return []
        try:
            async with asyncio.timeout(self._endpoint.timeout):
                scores = await self._ask(self._prepared(query), [self._prepared(text) for text in documents])
        except TimeoutError:
            failure = timeout_error(self._host, self._endpoint.timeout)
        else:
            self._gives_logits |= any(not -_SLACK <= score <= 1 + _SLACK for score in scores)
            return [_logistic(score) if self._gives_logits else min(max(score, 0.0), 1.0) for score in scores]
        raise failure

    def _prepared(self, text: str) -> str:
        prepared = replace_unsafe(text[: self._max_characters])
        # endpoints refuse texts without a token
        return prepared if prepared.strip() else "."

    async def _ask(self, query: str, documents: Sequence[str]) -> list[float]:
        dialect = self._dialect
        while True:
            size = dialect.batch_size or len(documents)
            batches = [documents[start : start + size] for start in range(0, len(documents), size)]
            responses = await self._post_all([dialect.body(self._endpoint.model, query, batch) for batch in batches])
            refusal = next((one for one in responses if not one.is_success), None)
            if refusal is None:
                break
            learnt = dialect.after_refusal(refusal.status_code, refusal.text)
            if learnt is None:
                raise status_error(refusal, self._host)
            dialect = learnt
        if dialect != self._dialect:
            log.info("rerank_dialect_learnt", host=self._host, dialect=str(dialect))
            self._dialect = dialect
        return [
            score
            for batch, response in zip(batches, responses, strict=True)
            for score in self._read(response.content, len(batch))
        ]

    async def _post_all(self, bodies: Sequence[dict[str, JsonValue]]) -> list[httpx.Response]:
        return list(await asyncio.gather(*map(self._post, bodies)))

    async def _post(self, body: dict[str, JsonValue]) -> httpx.Response:
        try:
            return await self._client.post(self._url, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            failure = unreachable(error, self._host)
        # Outside of the handler, so that the library's error is not its context: that one holds the request.
        raise failure

    def _read(self, body: bytes, count: int) -> list[float]:
        """Return the scores of an answer in the order of the documents; ProviderError if it is unusable."""
        entries = _entries(body)
        if entries is None:
            raise unusable_answer(self._host, "with something that holds no scores")
        ordered = sorted(entries, key=lambda entry: entry.index)
        if [entry.index for entry in ordered] != list(range(count)):
            raise unusable_answer(self._host, f"with {len(entries)} scores for {count} documents, or not theirs")
        return [entry.score for entry in ordered]


def _entries(body: bytes) -> list[Entry] | None:
    try:
        return read_entries(body)
    except ValidationError:
        return None


def _logistic(score: float) -> float:
    # by the hyperbolic tangent, which does not overflow
    return 0.5 + 0.5 * math.tanh(score / 2)
