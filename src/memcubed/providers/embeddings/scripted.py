"""A stand-in for a model, for tests and demonstrations: exact, instant, and it can be told to fail."""

import asyncio
import unicodedata
import zlib
from collections.abc import Sequence

import numpy as np

from memcubed.errors import ProviderError
from memcubed.providers.embeddings.protocol import Vector
from memcubed.providers.embeddings.safe_text import make_safe
from memcubed.providers.embeddings.unit import to_unit

_LIMIT = 2000
_GRAMS = (2, 3)


class HashEmbedder:
    """Implements Embedder without a model: character n-grams (2 and 3) hashed into `dimensions` buckets.

    Deterministic on every machine. Texts that share words are near each other; meaning is not understood.
    `calls` counts what it was asked, `fail` makes it an endpoint that is down.
    """

    def __init__(self, dimensions: int = 256, *, space: str | None = None) -> None:
        self._dimensions = dimensions
        self._space = space or f"hash-{dimensions}@1"
        self._failure: ProviderError | None = None
        self._failures_left: int | None = None
        self.calls = 0

    @property
    def space(self) -> str:
        """`hash-256@1`, or what the constructor was given."""
        return self._space

    @property
    def dimensions(self) -> int:
        """What the constructor was given."""
        return self._dimensions

    def fail(self, times: int | None = None, *, retryable: bool = True) -> None:
        """Raise ProviderError from now on: for the next `times` calls, or until `recover`."""
        self._failure = ProviderError("the embedder was told to fail", retryable=retryable)
        self._failures_left = times

    def recover(self) -> None:
        """Answer again."""
        self._failure = None

    async def load(self) -> None:
        """Count as a call and fail as one, like an endpoint that is probed."""
        await self._answer([])

    async def close(self) -> None:
        """There is no connection to close."""

    async def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """One vector of unit length a text, in order."""
        return await self._answer(texts)

    async def embed_query(self, text: str) -> Vector:
        """Return the same vector as that of an equal document."""
        return (await self._answer([text]))[0]

    async def _answer(self, texts: Sequence[str]) -> list[Vector]:
        self.calls += 1
        await asyncio.sleep(0)
        if self._failure is not None and self._failures_left != 0:
            if self._failures_left is not None:
                self._failures_left -= 1
            raise ProviderError(self._failure.message, retryable=self._failure.retryable)
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> Vector:
        folded = f" {unicodedata.normalize('NFKC', make_safe(text, _LIMIT)).casefold()} "
        counts = np.zeros((1, self._dimensions), dtype=np.float32)
        for length in _GRAMS:
            for start in range(len(folded) - length + 1):
                digest = zlib.crc32(folded[start : start + length].encode("utf-8"))
                # the highest bit is a sign, so that collisions cancel out instead of adding up
                counts[0, digest % self._dimensions] += 1.0 if digest >> 31 else -1.0
        vector: Vector = to_unit(counts)[0]
        return vector
