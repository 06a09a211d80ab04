"""A stand-in for a reranker, for tests and demonstrations: exact, instant, and it can be told to fail or to hang."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memcubed.errors import ProviderError


@dataclass(frozen=True, slots=True)
class ScriptedRerank:
    """What the reranker was asked."""

    query: str
    documents: tuple[str, ...]


class ScriptedReranker:
    """Implements Reranker. `script` gives the score of one document; without one, the share of the query's words in it.

    `calls` records what was asked, `fail` makes it an endpoint that is down, `hang` one that never answers.
    """

    def __init__(self, script: Callable[[str, str], float] | None = None) -> None:
        self.calls: list[ScriptedRerank] = []
        self.closed = False
        self._script = _shared_words if script is None else script
        self._failure: ProviderError | None = None
        self._hangs = False

    def fail(self, *, retryable: bool = True) -> None:
        """Raise ProviderError from now on, until `recover`."""
        self._failure = ProviderError("the reranker was told to fail", retryable=retryable)

    def hang(self) -> None:
        """Never answer from now on, until `recover`."""
        self._hangs = True

    def recover(self) -> None:
        """Answer again."""
        self._failure, self._hangs = None, False

    async def score(self, query: str, documents: Sequence[str]) -> list[float]:
        """The script's scores, in order."""
        self.calls.append(ScriptedRerank(query, tuple(documents)))
        await asyncio.sleep(0)
        if self._hangs:
            await asyncio.Event().wait()
        if self._failure is not None:
            raise ProviderError(self._failure.message, retryable=self._failure.retryable)
        return [self._script(query, document) for document in documents]

    async def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


def _shared_words(query: str, document: str) -> float:
    asked, said = set(query.casefold().split()), set(document.casefold().split())
    return len(asked & said) / max(len(asked), 1)
