"""Embeddings behind OpenAI's `/embeddings` API, which most servers and platforms speak."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np
from openai import APIError, omit
from pydantic import BaseModel, ValidationError

from memcubed.errors import ProviderError
from memcubed.providers.embeddings.failures import provider_error, timeout_error, unusable_answer
from memcubed.providers.embeddings.protocol import Vector
from memcubed.providers.embeddings.safe_text import replace_unsafe
from memcubed.providers.embeddings.unit import Rows, to_unit
from memcubed.providers.openai_client import open_client

# Its square, summed over some thousands, is still a float32.
_LARGEST = 1e15


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is served. `timeout` bounds one call with its `retries`, in seconds; no key is sent as "none"."""

    base_url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 10.0
    retries: int = 2


class OpenAIEmbedder:
    """Implements Embedder.

    With `dimensions` the endpoint is asked for vectors of that length (leave it out for servers that do not take the
    parameter); without, the first answer sets it. Every later answer is held to it. `load` makes that first call;
    until it has succeeded, `space` and `dimensions` raise ProviderError if no dimensions were given.
    Texts are cut at `max_characters`; the prefixes are put before them, for models that want one.
    `on_tokens` is told the model's name and the tokens of each call, 0 where the endpoint does not say.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        dimensions: int | None = None,
        query_prefix: str = "",
        document_prefix: str = "",
        batch_size: int = 64,
        max_characters: int = 6000,
        on_tokens: Callable[[str, int], None] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._host = urlsplit(endpoint.base_url).hostname or "an unnamed host"
        self._asked_dimensions = dimensions
        self._dimensions = dimensions
        self._query_prefix = query_prefix
        self._document_prefix = document_prefix
        self._batch_size = batch_size
        self._max_characters = max_characters
        self._on_tokens = on_tokens
        self._loaded = False
        self._client = open_client(
            endpoint.base_url, endpoint.api_key, timeout=endpoint.timeout, retries=endpoint.retries
        )

    @property
    def space(self) -> str:
        """`model@dimensions`, and a mark of the prefixes where there are any: they make it another space."""
        prefixes = f"{self._query_prefix}\n{self._document_prefix}"
        mark = f"+{hashlib.sha256(prefixes.encode()).hexdigest()[:8]}" if prefixes != "\n" else ""
        return f"{self._endpoint.model}@{self.dimensions}{mark}"

    @property
    def dimensions(self) -> int:
        """What was asked for, else the length of the first answer."""
        if self._dimensions is None:
            raise ProviderError(f"the embeddings endpoint at {self._host} has not answered yet: dimensions unknown")
        return self._dimensions

    async def load(self) -> None:
        """Connect, and learn the dimensions; raises ProviderError when the endpoint does not serve the model."""
        if not self._loaded:
            await self.embed_query("warm")
            self._loaded = True

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """One vector of unit length a text, in order; `batch_size` texts a call, one call at a time."""
        vectors: list[Vector] = []
        for start in range(0, len(texts), self._batch_size):
            batch = texts[start : start + self._batch_size]
            vectors.extend(await self._embed([self._prepared(self._document_prefix, text) for text in batch]))
        return vectors

    async def embed_query(self, text: str) -> Vector:
        """Return the vector of unit length of a question."""
        return (await self._embed([self._prepared(self._query_prefix, text)]))[0]

    def _prepared(self, prefix: str, text: str) -> str:
        prepared = prefix + replace_unsafe(text[: self._max_characters])
        # endpoints refuse texts without a token
        return prepared if prepared.strip() else "."

    async def _embed(self, texts: list[str]) -> list[Vector]:
        try:
            async with asyncio.timeout(self._endpoint.timeout):
                response = await self._client.embeddings.with_raw_response.create(
                    input=texts,
                    model=self._endpoint.model,
                    dimensions=self._asked_dimensions if self._asked_dimensions is not None else omit,
                    # the library's default, base64, is not understood everywhere
                    encoding_format="float",
                )
        except TimeoutError:
            failure = timeout_error(self._host, self._endpoint.timeout)
        except APIError as error:
            failure = provider_error(error, host=self._host, model=self._endpoint.model, timeout=self._endpoint.timeout)
        else:
            return list(self._checked(response.http_response.content, len(texts)))
        # Outside of the handler, so that the library's error is not its context: that one may quote the key.
        raise failure

    def _checked(self, body: bytes, count: int) -> Rows:
        """Return the rows of an answer in the order of the texts, of unit length; ProviderError if it is unusable."""
        try:
            answer = _Answer.model_validate_json(body)
        except ValidationError:
            raise unusable_answer(self._host, "with something that holds no embeddings") from None
        if self._on_tokens is not None:
            self._on_tokens(self._endpoint.model, _tokens(answer.usage))
        entries = sorted(answer.data, key=lambda entry: entry.index)
        if [entry.index for entry in entries] != list(range(count)):
            raise unusable_answer(self._host, f"with {len(entries)} vectors for {count} texts")
        lengths = {len(entry.embedding) for entry in entries}
        expected = self._dimensions if self._dimensions is not None else len(entries[0].embedding)
        if lengths != {expected} or expected == 0:
            found = ", ".join(map(str, sorted(lengths)))
            raise unusable_answer(
                self._host, f"with vectors of {found} dimensions, not of {expected}", lasting=expected != 0
            )
        rows = np.array([entry.embedding for entry in entries], dtype=np.float64)
        if not (np.abs(rows) < _LARGEST).all():
            raise unusable_answer(self._host, "with vectors of numbers that no model gives")
        self._dimensions = expected
        return to_unit(rows.astype(np.float32))


class _Entry(BaseModel):
    index: int
    embedding: list[float]


class _Answer(BaseModel):
    data: list[_Entry]
    usage: object = None


def _tokens(usage: object) -> int:
    found = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return found if isinstance(found, int) and found > 0 else 0
