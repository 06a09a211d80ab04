"""What every embedding provider offers."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


class Embedder(Protocol):
    """Embeds texts into one vector space. Raises ProviderError when the model behind it fails.

    Any string is taken: implementations make it safe (NUL bytes, lone surrogates) and truncate it.
    """

    @property
    def space(self) -> str:
        """Name and version of the vector space; vectors of two spaces are never compared."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of every vector of this space."""
        ...

    async def load(self) -> None:
        """Make the first call as fast as the others; safe to call again."""
        ...

    async def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """One vector of unit length a text, in order."""
        ...

    async def embed_query(self, text: str) -> Vector:
        """Return the vector of unit length of a question."""
        ...

    async def close(self) -> None:
        """Give up connections; the embedder is not used afterwards."""
        ...
