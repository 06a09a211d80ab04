"""The queue's promises: a job's end is recorded, whatever the connection does, and waits are bounded."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import procrastinate
import psycopg
import pytest
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status

from memcubed.bootstrap import DatabaseUrls
from memcubed.errors import ProviderError
from memcubed.production.jobs import rescue_stalled_jobs
from memcubed.store.queue import Backoff, create_queue
from memcubed.tracing import NoTracing
from tests.support.api import eventually
from tests.support.databases import query

STATUSES = "SELECT id, status::text FROM procrastinate_jobs ORDER BY id"


@pytest.fixture
async def queue(database: DatabaseUrls) -> AsyncIterator[procrastinate.App]:
    app = create_queue(database.service, NoTracing())

    @app.task(name="work")
    async def work() -> None: ...

    async with app.open_async():
        yield app


async def begun(queue: procrastinate.App, *, lock: str | None = None, queueing_lock: str | None = None) -> Job:
    """A job that a worker has taken."""
    await queue.configure_task("work", lock=lock, queueing_lock=queueing_lock).defer_async()
    worker = await queue.job_manager.register_worker()
    job = await queue.job_manager.fetch_job(queues=None, worker_id=worker)
    assert job is not None
    return job


async def test_an_end_is_recorded_although_the_connection_breaks(
    queue: procrastinate.App, database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await begun(queue)
    execute = queue.connector.execute_query_async
    failures = iter([psycopg.OperationalError("server closed the connection unexpectedly")])

    async def breaks_once(**arguments: Any) -> None:  # noqa: ANN401 - of any query
        if (failure := next(failures, None)) is not None:
            raise ConnectorException from failure
        await execute(**arguments)

    monkeypatch.setattr(queue.connector, "execute_query_async", breaks_once)
    await queue.job_manager.finish_job(job, Status.SUCCEEDED, delete_job=True)
    assert query(database.owner, STATUSES) == []


async def test_an_end_whose_answer_got_lost_is_not_an_error(
    queue: procrastinate.App, database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await begun(queue)
    execute = queue.connector.execute_query_async
    failures = iter([psycopg.OperationalError("server closed the connection unexpectedly")])

    async def breaks_after_the_commit(**arguments: Any) -> None:  # noqa: ANN401 - of any query
        await execute(**arguments)
        if (failure := next(failures, None)) is not None:
            raise ConnectorException from failure

    monkeypatch.setattr(queue.connector, "execute_query_async", breaks_after_the_commit)
    await queue.job_manager.finish_job(job, Status.SUCCEEDED, delete_job=True)
    assert query(database.owner, STATUSES) == []


async def test_a_database_that_stays_away_is_told(queue: procrastinate.App, monkeypatch: pytest.MonkeyPatch) -> None:
    job = await begun(queue)
    monkeypatch.setattr("memcubed.store.queue._PAUSE_SECONDS", 0)

    async def breaks(**_: object) -> None:
        raise ConnectorException from psycopg.OperationalError("connection refused")

    monkeypatch.setattr(queue.connector, "execute_query_async", breaks)
    with pytest.raises(ConnectorException):
        await queue.job_manager.finish_job(job, Status.SUCCEEDED, delete_job=True)


async def test_a_job_is_not_put_back_beside_an_equal_one(queue: procrastinate.App, database: DatabaseUrls) -> None:
    job = await begun(queue, queueing_lock="embed x")
    await queue.configure_task("work", queueing_lock="embed x").defer_async()
    await queue.job_manager.retry_job(job)
    ((remaining, status),) = query(database.owner, STATUSES)
    assert (remaining != job.id, status) == (True, "todo")


async def test_every_job_of_a_dead_worker_is_rescued(queue: procrastinate.App, database: DatabaseUrls) -> None:
    embedding = await begun(queue, queueing_lock="embed x")
    waiting = await queue.configure_task("work", queueing_lock="embed x", schedule_in={"hours": 1}).defer_async()
    share = await begun(queue, lock="cube")
    alive = await begun(queue)
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour' WHERE id <> %s",
            (alive.worker_id,),
        )
    rescue = asyncio.create_task(rescue_stalled_jobs(queue))
    expected = [(waiting, "todo"), (share.id, "todo"), (alive.id, "doing")]

    async def are_rescued() -> bool:
        return query(database.owner, STATUSES) == expected

    await eventually(are_rescued)
    rescue.cancel()
    assert embedding.id not in {row[0] for row in query(database.owner, STATUSES)}


def job_after(attempts: int) -> Job:
    return Job(id=1, queue="q", lock=None, queueing_lock=None, task_name="work", attempts=attempts)


BACKOFF = Backoff(attempts=6, first_wait_seconds=2.0)


def test_waits_double_with_jitter_up_to_five_minutes() -> None:
    for attempts, longest in ((0, 2), (1, 4), (4, 32), (7, 256), (8, 300), (2000, 300)):
        waits = {BACKOFF.wait_seconds(RuntimeError(), attempts) for _ in range(50)}
        assert len(waits) > 1
        assert all(longest / 2 <= wait <= longest for wait in waits)


@pytest.mark.parametrize(("asked", "at_least", "at_most"), [(60, 60, 60), (0.1, 1, 2), (86400, 300, 300)])
def test_a_providers_wish_is_honoured_within_bounds(asked: float, at_least: float, at_most: float) -> None:
    assert at_least <= BACKOFF.wait_seconds(ProviderError("busy", retry_after=asked), 0) <= at_most


@pytest.mark.parametrize(
    ("error", "attempts", "is_last"),
    [
        (ProviderError("busy"), 0, False),
        (ProviderError("busy"), 4, False),
        (ProviderError("busy"), 5, True),
        (ProviderError("busy"), 11, True),
        (ProviderError("wrong key", retryable=False), 0, True),
        (RuntimeError(), 5, True),
        (psycopg.OperationalError(), 100, False),
        (asyncio.CancelledError(), 5, False),
    ],
    ids=str,
)
def test_when_a_job_is_given_up(error: BaseException, attempts: int, *, is_last: bool) -> None:
    assert (BACKOFF.get_retry_decision(exception=error, job=job_after(attempts)) is None) is is_last
