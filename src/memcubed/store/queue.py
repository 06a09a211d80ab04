"""The job queue: procrastinate on the service's own database."""

import random
from typing import Final

import procrastinate
from procrastinate.jobs import Job

from memcubed.errors import ProviderError
from memcubed.settings import libpq_url

_LONGEST_WAIT_SECONDS: Final = 300.0

HEARTBEAT_SECONDS: Final = 3.0
STALLED_AFTER_SECONDS: Final = 15.0
"""A worker without a heartbeat for this long is taken for dead, and its jobs are run again."""


def create_queue(url: str) -> procrastinate.App:
    """The queue, not opened yet and without tasks."""
    connector = procrastinate.PsycopgConnector(
        conninfo=libpq_url(url), min_size=1, max_size=4, kwargs={"application_name": "memcubed queue"}
    )
    return procrastinate.App(
        connector=connector,
        worker_defaults={
            "update_heartbeat_interval": HEARTBEAT_SECONDS,
            "stalled_worker_timeout": STALLED_AFTER_SECONDS,
            "delete_jobs": "successful",
        },
    )


class Backoff(procrastinate.BaseRetryStrategy):
    """Try again after a wait that doubles, with full jitter on its upper half; give up after `attempts`.

    A provider's own Retry-After is honoured, and an error that can't get better is not tried again.
    """

    def __init__(self, *, attempts: int, first_wait_seconds: float) -> None:
        self.attempts = attempts
        self.first_wait_seconds = first_wait_seconds

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> procrastinate.RetryDecision | None:
        """`job.attempts` counts the tries before the one that just failed."""
        if self.is_last(exception, job.attempts):
            return None
        wait = min(self.first_wait_seconds * 2**job.attempts, _LONGEST_WAIT_SECONDS)
        wait *= random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret
        asked = exception.retry_after if isinstance(exception, ProviderError) else None
        return procrastinate.RetryDecision(retry_in={"seconds": max(wait, min(asked or 0, _LONGEST_WAIT_SECONDS))})

    def is_last(self, exception: BaseException, attempts_before: int) -> bool:
        """Whether the try that raised this was the last one."""
        if isinstance(exception, ProviderError) and not exception.retryable:
            return True
        return attempts_before + 1 >= self.attempts
