"""The stages of a search: where its time goes, as a histogram, and as spans of the request that they belong to."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from prometheus_client import CollectorRegistry, Histogram

from memcubed.tracing import Tracing


class Stage(StrEnum):
    """In the order in which they come; `rewriting` and `reranking` only where they are on."""

    REWRITING = "rewriting"
    EMBEDDING = "embedding"
    SQL = "sql"
    RANKING = "ranking"
    RERANKING = "reranking"
    FOLDING = "folding"


class SearchStages:
    """Watches the stages of searches in this process."""

    def __init__(self, registry: CollectorRegistry, tracing: Tracing) -> None:
        self._seconds = Histogram(
            "memcubed_search_stage_seconds", "Time of a search by stage.", ["stage"], registry=registry
        )
        self._tracing = tracing

    @contextmanager
    def watch(self, stage: Stage) -> Iterator[None]:
        """Around one stage of one search."""
        with self._seconds.labels(stage).time(), self._tracing.span(f"search {stage}", {"memcubed.stage": stage.value}):
            yield
