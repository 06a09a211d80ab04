"""What a request needs, part by part: whether it would succeed, and how well."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from memcubed.providers.calls import ProviderCalls
from memcubed.store.queue_state import StoreState, read_state
from memcubed.store.session import UNAVAILABLE_ERRORS, Database

_CACHED_SECONDS: Final = 1.0
_METRICS_CACHED_SECONDS: Final = 5.0


class State(StrEnum):
    """`degraded`: requests succeed, but something is late or missing. `unavailable`: they would fail."""

    OK = "ok"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"


_VALUES: Final = {State.OK: 1.0, State.DEGRADED: 0.5, State.UNAVAILABLE: 0.0}


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that requests need; `reason` in plain words."""

    name: str
    state: State
    reason: str


def worst(parts: Sequence[Part]) -> State:
    """The state of all of them together."""
    return max((part.state for part in parts), key=list(State).index, default=State.OK)


class Readiness:
    """Examines the parts: one small query at most, kept for a second; endpoints are never called for it."""

    def __init__(
        self,
        database: Database,
        providers: Mapping[str, ProviderCalls | None],
        *,
        revision: str,
        queue_age_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._providers = providers
        self._revision = revision
        self._queue_age_seconds = queue_age_seconds
        self._clock = clock
        self._lock = asyncio.Lock()
        self._parts: Sequence[Part] = ()
        self._fresh_until = 0.0

    async def examine(self) -> Sequence[Part]:
        """Every part, in the order in which to look at them."""
        async with self._lock:  # probes that come at once share one look
            if not self._parts or self._clock() >= self._fresh_until:
                self._parts = [*await self._look(), *(_endpoint(*one) for one in self._providers.items())]
                self._fresh_until = self._clock() + _CACHED_SECONDS
            return self._parts

    async def _look(self) -> Sequence[Part]:
        try:
            state = await read_state(self._database)
        except UNAVAILABLE_ERRORS as error:
            unknown = "not known without the database"
            return (
                Part("database", State.UNAVAILABLE, f"it does not answer ({type(error).__name__})"),
                Part("schema", State.UNAVAILABLE, unknown),
                Part("queue", State.UNAVAILABLE, unknown),
            )
        return (Part("database", State.OK, "it answers"), self._schema(state), self._queue(state))

    def _schema(self, state: StoreState) -> Part:
        if state.revision == self._revision:
            return Part("schema", State.OK, f"at revision {state.revision}, as this release needs")
        # Migrations only add while older releases still run, so one that is ahead may be served.
        reason = f"at revision {state.revision or 'none'}, this release needs {self._revision}"
        if state.revision is not None and state.revision > self._revision:
            return Part("schema", State.DEGRADED, f"{reason}: upgrade this process")
        return Part("schema", State.UNAVAILABLE, f"{reason}: run `memcubed migrate`")

    def _queue(self, state: StoreState) -> Part:
        if state.oldest_due_seconds is None:
            return Part("queue", State.OK, "no job is waiting")
        age = max(0, round(state.oldest_due_seconds))
        if age <= self._queue_age_seconds:
            return Part("queue", State.OK, f"the oldest job has waited {age} s")
        return Part("queue", State.DEGRADED, f"the oldest job has waited {age} s: does a worker run, and keep up?")


class PartMetrics(Collector):
    """A gauge of the parts, which are examined when somebody scrapes, and then kept for some seconds."""

    def __init__(
        self, readiness: Readiness, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._readiness = readiness
        self._clock = clock
        self._parts: Sequence[Part] = ()
        self._fresh_until = 0.0
        registry.register(self)

    async def refresh(self) -> None:
        """Examine the parts, unless that was done just now."""
        if not self._parts or self._clock() >= self._fresh_until:
            self._parts = await self._readiness.examine()
            self._fresh_until = self._clock() + _METRICS_CACHED_SECONDS

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauge, for the registry."""
        family = GaugeMetricFamily(
            "memcubed_part_status",
            "Whether what requests need is there: 1 ok, 0.5 degraded, 0 unavailable.",
            labels=["part"],
        )
        for part in self._parts:
            family.add_metric([part.name], _VALUES[part.state])
        yield family


def _endpoint(name: str, calls: ProviderCalls | None) -> Part:
    if calls is None:
        return Part(name, State.OK, "needs no endpoint")
    last = calls.last
    if last.seconds_ago is None:
        return Part(name, State.OK, "not called by this process yet")
    ago = f"{round(last.seconds_ago)} s ago"
    if last.reason is None:
        return Part(name, State.OK, f"answered {ago}")
    return Part(name, State.DEGRADED, f"failed {ago}: {last.reason}")
