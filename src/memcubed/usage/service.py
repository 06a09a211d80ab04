"""Counts what model calls cost, and says when a project's budget for the day is spent."""

import asyncio
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry, Counter

from memcubed.clock import Clock
from memcubed.errors import BudgetSpentError
from memcubed.store.session import UNAVAILABLE_ERRORS, Database
from memcubed.usage.attribution import EMBEDDING, current_work
from memcubed.usage.model import Budget, DayUsage, TaskUsage, Usage, UsageKey
from memcubed.usage.repository import READ_BUDGET, UsageRepository

_WRITE_EVERY_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


class UsageService:
    """Implements the Meter of language models and of embeddings.

    What a call cost is written as soon as it has ended, in a transaction of its own: a try that fails later has cost it
    all the same. What can't be written at once (embeddings, calls that were cancelled, a database that is away) is
    kept and written within seconds, by `keep_writing` or with the next call.
    """

    def __init__(
        self, database: Database, registry: CollectorRegistry, clock: Clock, *, daily_token_budget: int
    ) -> None:
        self._database = database
        self._clock = clock
        self._default_budget = daily_token_budget
        self._unwritten: dict[UsageKey, Usage] = {}
        self._calls = Counter("memcubed_model_calls", "Calls to model endpoints.", ["purpose"], registry=registry)
        self._tokens = Counter(
            "memcubed_model_tokens", "Tokens of calls to model endpoints.", ["purpose", "direction"], registry=registry
        )
        self._spent = Counter("memcubed_budget_refusals", "Work put off or refused by a budget.", registry=registry)

    async def admit(self) -> None:
        """Let the running work use the model. Raises BudgetSpentError when its project's budget is spent.

        Work that was admitted once is, to its end: a conversation that costs more than is left is read whole.
        """
        work = current_work()
        if work is None or work.admission.is_granted:
            return
        budget = await self.read_budget(work.project_id)
        if budget.is_spent:
            self._spent.inc()
            raise BudgetSpentError(
                f"The project has spent its budget of {budget.limit} model tokens for today; the next day begins at "
                "00:00 UTC.",
                retry_after=self._until_tomorrow(),
            )
        work.admission.is_granted = True

    def add(self, model: str, *, calls: int, input_tokens: int, output_tokens: int) -> None:
        """Count calls for the running work."""
        work = current_work()
        purpose = "other" if work is None else work.purpose
        self._add(purpose, model, Usage(calls, input_tokens, output_tokens))

    def add_answer(self, model: str, input_tokens: int, output_tokens: int) -> None:
        """Count one call for the running work."""
        self.add(model, calls=1, input_tokens=input_tokens, output_tokens=output_tokens)

    def add_embeddings(self, model: str, input_tokens: int) -> None:
        """Count a call for embeddings for the running work."""
        self._add(EMBEDDING, model, Usage(1, input_tokens, 0))

    def _add(self, purpose: str, model: str, usage: Usage) -> None:
        self._calls.labels(purpose).inc(usage.calls)
        self._tokens.labels(purpose, "input").inc(usage.input_tokens)
        self._tokens.labels(purpose, "output").inc(usage.output_tokens)
        work = current_work()
        if work is not None:
            self._keep(UsageKey(work.project_id, self._today(), purpose, model, work.task_id), usage)

    def _keep(self, key: UsageKey, usage: Usage) -> None:
        self._unwritten[key] = self._unwritten.get(key, Usage()) + usage

    async def write(self) -> None:
        """Write what was counted and is not written yet; what the database does not take now is kept."""
        taken = list(self._unwritten.items())
        self._unwritten = {}
        try:
            while taken:
                key, usage = taken[-1]
                async with self._database.transaction(key.project_id) as connection:
                    await UsageRepository(connection, key.project_id).add(key, usage)
                taken.pop()
        except UNAVAILABLE_ERRORS as error:
            log.warning("usage_not_written_yet", reason=str(error).splitlines()[0][:200])
        finally:
            for key, usage in taken:
                self._keep(key, usage)

    async def keep_writing(self) -> None:
        """Write what calls left unwritten, for as long as this runs."""
        while True:
            await asyncio.sleep(_WRITE_EVERY_SECONDS)
            if self._unwritten:
                await self.write()

    async def read_budget(self, project_id: UUID) -> Budget:
        """What a project may spend today, and has spent."""
        rows = await self._database.read(
            READ_BUDGET,
            {"project_id": project_id, "day": self._today(), "default": self._default_budget, "free": EMBEDDING},
            project_id=project_id,
        )
        if not rows:
            return Budget(None, 0)
        return Budget(limit=rows[0]["budget"] or None, spent=rows[0]["spent"])

    async def list_days(self, project_id: UUID, first: date, last: date) -> Sequence[DayUsage]:
        """What a project used from the first day to the last, by day, purpose and model."""
        async with self._database.transaction(project_id) as connection:
            return await UsageRepository(connection, project_id).list_days(first, last)

    async def list_task(self, project_id: UUID, task_id: UUID) -> Sequence[TaskUsage]:
        """What a task used, by purpose and model; nothing for a task that is not there."""
        async with self._database.transaction(project_id) as connection:
            return await UsageRepository(connection, project_id).list_task(task_id)

    def _today(self) -> date:
        return self._clock().astimezone(UTC).date()

    def _until_tomorrow(self) -> int:
        midnight = datetime.combine(self._today() + timedelta(days=1), time(), UTC)
        return max(1, math.ceil((midnight - self._clock()).total_seconds()))
