"""Counts what model calls cost, and says when a project's budget for the day is spent."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry, Counter

from memcubed.clock import Clock
from memcubed.errors import BudgetSpentError
from memcubed.memories.model import MemoryKind
from memcubed.providers.llm.protocol import Credit, uncredited
from memcubed.store.session import UNAVAILABLE_ERRORS, Database
from memcubed.usage.attribution import EMBEDDING, PREVIEW, current_work
from memcubed.usage.model import (
    Budget,
    DayUsage,
    KindCount,
    KindKey,
    KindUsage,
    TaskUsage,
    Usage,
    UsageKey,
    divide,
)
from memcubed.usage.repository import READ_BUDGET, UsageRepository

_WRITE_EVERY_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


class UsageService:
    """Implements the Meter of language models and of embeddings.

    What a call cost is written as soon as it has ended, in a transaction of its own: a try that fails later has cost it
    all the same. What can't be written at once (embeddings, calls that were cancelled, a database that is away), and
    what memories came of it, is kept and written within seconds, by `keep_writing` or with the next call.
    """

    def __init__(
        self, database: Database, registry: CollectorRegistry, clock: Clock, *, daily_token_budget: int
    ) -> None:
        self._database = database
        self._clock = clock
        self._default_budget = daily_token_budget
        self._unwritten: dict[UsageKey, Usage] = {}
        self._unwritten_kinds: dict[KindKey, KindCount] = {}
        self._calls = Counter("memcubed_model_calls", "Calls to model endpoints.", ["purpose"], registry=registry)
        self._tokens = Counter(
            "memcubed_model_tokens", "Tokens of calls to model endpoints.", ["purpose", "direction"], registry=registry
        )
        self._spent = Counter("memcubed_budget_refusals", "Work put off or refused by a budget.", registry=registry)

    async def admit(self) -> None:
        """Let the running work make a call. Raises BudgetSpentError when its project's budget is spent."""
        work = current_work()
        if work is None:
            return
        budget = await self.read_budget(work.project_id)
        if budget.is_spent:
            self._spent.inc()
            raise BudgetSpentError(
                f"The project has spent its budget of {budget.limit} model tokens for today; the next day begins at "
                "00:00 UTC.",
                retry_after=self._until_tomorrow(),
            )

    def add(self, model: str, *, calls: int, input_tokens: int, output_tokens: int) -> Credit:
        """Count calls for the running work; told what came of them, their cost is divided among those kinds."""
        work = current_work()
        usage = Usage(calls, input_tokens, output_tokens)
        key = self._add("other" if work is None else work.purpose, model, usage)
        if key is None or key.purpose == PREVIEW:
            return uncredited

        def credit(gave: Mapping[str, int]) -> None:
            for kind, part in divide(usage, gave).items():
                self._keep_kind(KindKey(key.project_id, key.day, kind, key.task_id), KindCount(0, part))

        return credit

    def add_embeddings(self, model: str, input_tokens: int) -> None:
        """Count a call for embeddings for the running work."""
        self._add(EMBEDDING, model, Usage(1, input_tokens, 0))

    def add_memories(self, project_id: UUID, task_id: UUID | None, memories: Mapping[MemoryKind, int]) -> None:
        """Count memories that were made."""
        for kind, count in memories.items():
            if count:
                self._keep_kind(KindKey(project_id, self._today(), kind.value, task_id), KindCount(count))

    def find_answer(self, question: str) -> str | None:
        """What the model answered to an earlier try of the running job."""
        work = current_work()
        return None if work is None or work.answers is None else work.answers.earlier.get(question)

    def keep_answer(self, question: str, answer: str) -> None:
        """Remember an answer until the running job ends; nothing for requests."""
        work = current_work()
        if work is not None and work.answers is not None:
            work.answers.new[question] = answer

    def _add(self, purpose: str, model: str, usage: Usage) -> UsageKey | None:
        self._calls.labels(purpose).inc(usage.calls)
        self._tokens.labels(purpose, "input").inc(usage.input_tokens)
        self._tokens.labels(purpose, "output").inc(usage.output_tokens)
        work = current_work()
        if work is None:
            return None
        key = UsageKey(work.project_id, self._today(), purpose, model, work.task_id)
        self._keep(key, usage)
        return key

    def _keep(self, key: UsageKey, usage: Usage) -> None:
        self._unwritten[key] = self._unwritten.get(key, Usage()) + usage

    def _keep_kind(self, key: KindKey, count: KindCount) -> None:
        self._unwritten_kinds[key] = self._unwritten_kinds.get(key, KindCount()) + count

    async def write(self) -> None:
        """Write what was counted and is not written yet; what the database does not take now is kept."""
        usages, kinds = self._unwritten, self._unwritten_kinds
        self._unwritten, self._unwritten_kinds = {}, {}
        try:
            for place in {key.place for key in usages} | {key.place for key in kinds}:
                # In one order everywhere, so that processes that write the same rows wait for each other in turn; and
                # of one task at a time, since several may just be deleted in another order.
                own = sorted((key for key in usages if key.place == place), key=str)
                made = sorted((key for key in kinds if key.place == place), key=str)
                async with self._database.transaction(place[0]) as connection:
                    repository = UsageRepository(connection, place[0])
                    for key in own:
                        await repository.add(key, usages[key])
                    for kind in made:
                        await repository.add_kind(kind, kinds[kind])
                usages = {key: usage for key, usage in usages.items() if key not in own}
                kinds = {kind: count for kind, count in kinds.items() if kind not in made}
        except UNAVAILABLE_ERRORS as error:
            log.warning("usage_not_written_yet", reason=_told(error))
        finally:
            for key, usage in usages.items():
                self._keep(key, usage)
            for kind, count in kinds.items():
                self._keep_kind(kind, count)

    async def write_rest(self) -> None:
        """Write what calls left unwritten, if anything."""
        if self._unwritten or self._unwritten_kinds:
            await self.write()

    async def keep_writing(self) -> None:
        """Write what calls left unwritten, for as long as this runs."""
        while True:
            await asyncio.sleep(_WRITE_EVERY_SECONDS)
            await self.write_rest()

    async def read_budget(self, project_id: UUID) -> Budget:
        """What a project may spend today, and has spent; of this process also what is not written yet."""
        today = self._today()
        unwritten = sum(
            usage.input_tokens + usage.output_tokens
            for key, usage in self._unwritten.items()
            if key.project_id == project_id and key.day == today and key.purpose != EMBEDDING
        )
        rows = await self._database.read(
            READ_BUDGET,
            {"project_id": project_id, "day": today, "default": self._default_budget, "free": EMBEDDING},
            project_id=project_id,
        )
        if not rows:
            return Budget(None, 0)
        return Budget(limit=rows[0]["budget"] or None, spent=rows[0]["spent"] + unwritten)

    async def list_days(self, project_id: UUID, first: date, last: date) -> Sequence[DayUsage]:
        """What a project used from the first day to the last, by day, purpose and model."""
        async with self._database.transaction(project_id) as connection:
            return await UsageRepository(connection, project_id).list_days(first, last)

    async def list_kinds(self, project_id: UUID, first: date, last: date) -> Sequence[KindUsage]:
        """What a project made, and paid for it, from the first day to the last, by kind of memory."""
        async with self._database.transaction(project_id) as connection:
            return await UsageRepository(connection, project_id).list_kinds(first, last)

    async def list_task(self, project_id: UUID, task_id: UUID) -> Sequence[TaskUsage]:
        """What a task used, by purpose and model; nothing for a task that is not there."""
        async with self._database.transaction(project_id) as connection:
            return await UsageRepository(connection, project_id).list_task(task_id)

    async def list_task_kinds(self, project_id: UUID, task_id: UUID) -> Sequence[KindUsage]:
        """What a task made, and paid for it, by kind of memory."""
        async with self._database.transaction(project_id) as connection:
            return await UsageRepository(connection, project_id).list_task_kinds(task_id)

    async def list_answers(self, project_id: UUID, cube_id: UUID) -> Mapping[str, str]:
        """What was answered to tries of a cube's jobs that did not end well, by the marks of the questions."""
        async with self._database.look_up(project_id) as connection:
            return await UsageRepository(connection, project_id).list_answers(cube_id)

    async def keep_answers(self, project_id: UUID, cube_id: UUID, answers: Mapping[str, str]) -> None:
        """Keep answers for the next try; without the database they are lost, and paid for once more."""
        await self._try(project_id, lambda repository: repository.keep_answers(cube_id, answers))

    async def forget_answers(self, project_id: UUID, cube_id: UUID, questions: Sequence[str]) -> None:
        """Remove answers that have been of use."""
        await self._try(project_id, lambda repository: repository.forget_answers(cube_id, questions))

    async def _try(self, project_id: UUID, change: Callable[[UsageRepository], Awaitable[None]]) -> None:
        try:
            async with self._database.transaction(project_id) as connection:
                await change(UsageRepository(connection, project_id))
        except UNAVAILABLE_ERRORS as error:
            log.warning("answers_not_kept", reason=_told(error))

    def _today(self) -> date:
        return self._clock().astimezone(UTC).date()

    def _until_tomorrow(self) -> int:
        midnight = datetime.combine(self._today() + timedelta(days=1), time(), UTC)
        return max(1, math.ceil((midnight - self._clock()).total_seconds()))


def _told(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
