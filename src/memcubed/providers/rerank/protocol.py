"""What every reranker offers."""

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """Reads a query together with each text, which says more than their vectors do, and costs more.

    Any string is taken: implementations make it safe (NUL bytes, lone surrogates) and truncate it.
    """

    async def score(self, query: str, documents: Sequence[str]) -> list[float]:
        """How well each document answers the query, from 0 to 1, in the order of the documents.

        Raises ProviderError when the model behind it fails.
        """
        ...

    async def close(self) -> None:
        """Give up connections; the reranker is not used afterwards."""
        ...
