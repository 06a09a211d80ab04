"""The best results in the order of a reranker; only when the operator configures one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from prometheus_client import CollectorRegistry, Counter

from memcubed.providers.rerank import Reranker
from memcubed.recall.calibration import Ranked
from memcubed.recall.optional import OptionalStep

DEPTH: Final = 50
"""So many of the best by the service's own ranking are reranked."""


class Reranking:
    """Reorders results by what a reranker says of them, and is done in `timeout_seconds` whatever happens."""

    def __init__(self, reranker: Reranker, registry: CollectorRegistry, *, timeout_seconds: float = 1.0) -> None:
        self._reranker = reranker
        failures = Counter(
            "memcubed_rerank_failures", "Searches answered without the reranker.", ["reason"], registry=registry
        )
        self._step = OptionalStep("search_without_reranker", failures, timeout_seconds=timeout_seconds)

    async def apply(self, query: str, ranked: Sequence[Ranked]) -> list[Ranked]:
        """The best by the reranker's score, which becomes their relativity; then the rest, none above the last of them.

        The same as given when the reranker fails or is slow. It is sent the query and the values, nothing else.
        """
        best, rest = ranked[:DEPTH], ranked[DEPTH:]
        if not best:
            return []
        scores = await self._step.run(self._reranker.score(query, [one.scored.candidate.value for one in best]))
        if scores is None:
            return list(ranked)
        return [*_reordered(best, scores), *_capped(rest, min(scores))]


def _reordered(best: Sequence[Ranked], scores: Sequence[float]) -> list[Ranked]:
    # sorted is stable: between equals, the order of before stays
    pairs = sorted(zip(best, scores, strict=True), key=lambda pair: -pair[1])
    return [replace(one, relativity=round(score, 4)) for one, score in pairs]


def _capped(rest: Sequence[Ranked], lowest: float) -> list[Ranked]:
    return [replace(one, relativity=min(one.relativity, round(lowest, 4))) for one in rest]
