"""A step that a search can do without."""

import asyncio
from collections.abc import Awaitable
from enum import StrEnum
from typing import TypeVar

import structlog
from prometheus_client import Counter

from memcubed.errors import BudgetSpentError, ProviderError

ResultT = TypeVar("ResultT")

log = structlog.get_logger(__name__)


class Reason(StrEnum):
    """Why a search went on without the step."""

    ERROR = "error"
    TIMEOUT = "timeout"


class OptionalStep:
    """Runs calls to a model within a time limit; those that fail are logged as `event`, and counted by reason."""

    def __init__(self, event: str, failures: Counter, *, timeout_seconds: float) -> None:
        self._event = event
        self._failures = failures
        self._timeout_seconds = timeout_seconds
        for reason in Reason:
            failures.labels(reason)  # from 0, so that the first one is an increase

    async def run(self, call: Awaitable[ResultT]) -> ResultT | None:
        """What the call gives; None when it raises ProviderError, or is not done in time, or the budget is spent."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await call
        except (ProviderError, BudgetSpentError) as error:
            reason, message = Reason.ERROR, error.message
        except TimeoutError:
            reason, message = Reason.TIMEOUT, f"no answer within {self._timeout_seconds:g} s"
        self._failures.labels(reason).inc()
        log.warning(self._event, reason=message)
        return None
