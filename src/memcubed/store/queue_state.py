"""What an operator sees of the database from outside: its revision, the queue's depth and age, workers, the pool."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, LiteralString

import psycopg
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from memcubed.store.queue import STALLED_AFTER_SECONDS
from memcubed.store.session import UNAVAILABLE_ERRORS, Database, Row

_CACHED_SECONDS: Final = 5.0

# Jobs behind one that waits for a later time (a spent budget, the pause before a new try) are not due before it is.
_PUT_OFF: Final = """
    SELECT lock FROM procrastinate_jobs WHERE status = 'todo' AND scheduled_at > now() AND lock IS NOT NULL
"""

_READINESS: Final[LiteralString] = f"""
SELECT (SELECT max(version_num) FROM alembic_version) AS revision,
       extract(epoch FROM now() - least(
           (SELECT min(scheduled_at) FROM procrastinate_jobs
            WHERE status = 'todo' AND scheduled_at <= now() AND coalesce(lock, '') NOT IN ({_PUT_OFF})),
           (SELECT min(event.at) FROM procrastinate_events event WHERE event.job_id = (
               SELECT id FROM procrastinate_jobs
               WHERE status = 'todo' AND scheduled_at IS NULL AND coalesce(lock, '') NOT IN ({_PUT_OFF})
               ORDER BY id LIMIT 1))
       ))::float8 AS oldest_due_seconds
"""

_JOBS: Final[LiteralString] = f"""
WITH jobs AS MATERIALIZED (
    SELECT task_name, id, scheduled_at, CASE
        WHEN status = 'doing' THEN 'running'
        WHEN status <> 'todo' THEN 'failed'
        WHEN scheduled_at > now() OR coalesce(lock, '') IN ({_PUT_OFF}) THEN 'waiting'
        ELSE 'due' END AS state
    FROM procrastinate_jobs WHERE status IN ('todo', 'doing', 'failed')
), counted AS (
    SELECT task_name, state, count(*) AS jobs, min(scheduled_at) AS scheduled,
           min(id) FILTER (WHERE scheduled_at IS NULL) AS first
    FROM jobs GROUP BY task_name, state
)
SELECT task_name, state, jobs, CASE WHEN state = 'due' THEN extract(epoch FROM now() - least(
           scheduled, (SELECT min(event.at) FROM procrastinate_events event WHERE event.job_id = first)
       ))::float8 END AS age
FROM counted
UNION ALL
SELECT NULL, 'workers', count(*), NULL FROM procrastinate_workers
WHERE last_heartbeat > now() - make_interval(secs => %(stalled_after)s)
"""


@dataclass(frozen=True, slots=True)
class StoreState:
    """What one look at the database tells."""

    revision: str | None
    oldest_due_seconds: float | None
    """How long the oldest job that could run has been waiting; None: there is none."""


async def read_state(database: Database) -> StoreState:
    """Look. Raises one of UNAVAILABLE_ERRORS."""
    try:
        rows = await database.read(_READINESS, {})
    except psycopg.errors.UndefinedTable:
        return StoreState(None, None)
    return StoreState(rows[0]["revision"], rows[0]["oldest_due_seconds"])


class StoreMetrics(Collector):
    """Gauges that are asked of the database when somebody scrapes, and then kept for some seconds."""

    def __init__(
        self, database: Database, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._clock = clock
        self._rows: list[Row] = []
        self._fresh_until = 0.0
        self._log = structlog.get_logger(__name__)
        registry.register(self)

    async def refresh(self) -> None:
        """Ask the database, unless that was done just now; without it the gauges are left out."""
        if self._clock() < self._fresh_until:
            return
        self._fresh_until = self._clock() + _CACHED_SECONDS  # at once, so that scrapes at the same time ask once
        try:
            self._rows = await self._database.read(_JOBS, {"stalled_after": STALLED_AFTER_SECONDS})
        except UNAVAILABLE_ERRORS as error:
            self._rows = []
            self._log.warning("queue_not_measured", reason=type(error).__name__)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges, for the registry."""
        jobs = GaugeMetricFamily("memcubed_queue_jobs", "Jobs on the queue.", labels=["job", "state"])
        ages = GaugeMetricFamily(
            "memcubed_queue_oldest_due_seconds", "How long the oldest due job has waited.", labels=["job"]
        )
        workers = GaugeMetricFamily("memcubed_workers", "Workers with a heartbeat, in all processes.")
        for row in self._rows:
            if row["task_name"] is None:
                workers.add_metric([], row["jobs"])
                continue
            jobs.add_metric([row["task_name"], row["state"]], row["jobs"])
            if row["age"] is not None:
                ages.add_metric([row["task_name"]], max(0.0, row["age"]))
        connections = GaugeMetricFamily(
            "memcubed_database_connections", "Connections of this process's pool.", labels=["state"]
        )
        use = self._database.pool_use
        connections.add_metric(["in_use"], use.in_use)
        connections.add_metric(["idle"], use.idle)
        yield from (jobs, ages, workers, connections)
