"""Vectors of recent queries, kept."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from memcubed.providers.embeddings.protocol import Embedder, Vector
from memcubed.providers.embeddings.unit import read_only


class CachedEmbedder:
    """Implements Embedder around another one: the `size` queries used last cost nothing when they come again.

    Equal queries that arrive while the first is being embedded wait for its answer. Failures are not kept. Documents
    pass through. The vectors of queries are shared, so they are read-only.
    """

    def __init__(self, inner: Embedder, *, size: int = 4096) -> None:
        self._inner = inner
        self._size = size
        self._vectors: OrderedDict[str, Vector] = OrderedDict()
        self._calls: dict[str, asyncio.Task[Vector]] = {}
        self._hits = 0
        self._misses = 0

    @property
    def space(self) -> str:
        """The wrapped embedder's."""
        return self._inner.space

    @property
    def dimensions(self) -> int:
        """The wrapped embedder's."""
        return self._inner.dimensions

    @property
    def hits(self) -> int:
        """Queries that were answered without a call of their own."""
        return self._hits

    @property
    def misses(self) -> int:
        """Queries that the wrapped embedder was asked for."""
        return self._misses

    async def load(self) -> None:
        """Load the wrapped embedder."""
        await self._inner.load()

    async def close(self) -> None:
        """Close the wrapped embedder."""
        await self._inner.close()

    async def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """Ask the wrapped embedder."""
        return await self._inner.embed_documents(texts)

    async def embed_query(self, text: str) -> Vector:
        """Return the vector of unit length of a question, from memory when it was asked before."""
        vector = self._vectors.get(text)
        if vector is not None:
            self._vectors.move_to_end(text)
            self._hits += 1
            return vector
        call = self._calls.get(text)
        if call is None:
            self._misses += 1
            call = asyncio.create_task(self._ask(text))
            self._calls[text] = call
            call.add_done_callback(_retrieve)
        else:
            self._hits += 1
        # shielded: one caller that gives up must not take the answer from the others
        return await asyncio.shield(call)

    async def _ask(self, text: str) -> Vector:
        try:
            vector = read_only(await self._inner.embed_query(text))
        finally:
            del self._calls[text]
        self._vectors[text] = vector
        while len(self._vectors) > self._size:
            self._vectors.popitem(last=False)
        return vector


def _retrieve(call: asyncio.Task[Vector]) -> None:
    # when every caller has given up, nobody else reads the failure, and asyncio would complain about that
    if not call.cancelled():
        call.exception()
