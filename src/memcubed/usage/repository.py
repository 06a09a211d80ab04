"""Usage in the database."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, LiteralString
from uuid import UUID

from sqlalchemy import Row, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.store.tables import kept_answers, usage_day_kinds, usage_days, usage_task_kinds, usage_tasks
from memcubed.usage.model import DayUsage, KindCount, KindKey, KindUsage, TaskUsage, Usage, UsageKey

_ANSWERS_KEPT: Final = timedelta(days=2)
"""Longer than work waits for the next day's budget."""

# The row that it belongs to is locked first: a project or task that is being deleted takes its usage with it.
_ADD_DAY: Final = text("""
    WITH project AS (SELECT id FROM projects WHERE id = :project_id FOR KEY SHARE)
    INSERT INTO usage_days AS u (project_id, day, purpose, model, calls, input_tokens, output_tokens)
    SELECT id, :day, :purpose, :model, :calls, :input_tokens, :output_tokens FROM project
    ON CONFLICT (project_id, day, purpose, model) DO UPDATE SET
        calls = u.calls + EXCLUDED.calls,
        input_tokens = u.input_tokens + EXCLUDED.input_tokens,
        output_tokens = u.output_tokens + EXCLUDED.output_tokens
""")

_ADD_TASK: Final = text("""
    WITH task AS (SELECT id, project_id FROM tasks WHERE id = :task_id AND project_id = :project_id FOR KEY SHARE)
    INSERT INTO usage_tasks AS u (task_id, project_id, purpose, model, calls, input_tokens, output_tokens)
    SELECT id, project_id, :purpose, :model, :calls, :input_tokens, :output_tokens FROM task
    ON CONFLICT (task_id, purpose, model) DO UPDATE SET
        calls = u.calls + EXCLUDED.calls,
        input_tokens = u.input_tokens + EXCLUDED.input_tokens,
        output_tokens = u.output_tokens + EXCLUDED.output_tokens
""")

_ADD_DAY_KIND: Final = text("""
    WITH project AS (SELECT id FROM projects WHERE id = :project_id FOR KEY SHARE)
    INSERT INTO usage_day_kinds AS u (project_id, day, kind, memories, calls, input_tokens, output_tokens)
    SELECT id, :day, :kind, :memories, :calls, :input_tokens, :output_tokens FROM project
    ON CONFLICT (project_id, day, kind) DO UPDATE SET
        memories = u.memories + EXCLUDED.memories,
        calls = u.calls + EXCLUDED.calls,
        input_tokens = u.input_tokens + EXCLUDED.input_tokens,
        output_tokens = u.output_tokens + EXCLUDED.output_tokens
""")

_ADD_TASK_KIND: Final = text("""
    WITH task AS (SELECT id, project_id FROM tasks WHERE id = :task_id AND project_id = :project_id FOR KEY SHARE)
    INSERT INTO usage_task_kinds AS u (task_id, project_id, kind, memories, calls, input_tokens, output_tokens)
    SELECT id, project_id, :kind, :memories, :calls, :input_tokens, :output_tokens FROM task
    ON CONFLICT (task_id, kind) DO UPDATE SET
        memories = u.memories + EXCLUDED.memories,
        calls = u.calls + EXCLUDED.calls,
        input_tokens = u.input_tokens + EXCLUDED.input_tokens,
        output_tokens = u.output_tokens + EXCLUDED.output_tokens
""")

_KEEP_ANSWERS: Final = text("""
    WITH cube AS (SELECT id, project_id FROM cubes WHERE id = :cube_id AND project_id = :project_id FOR KEY SHARE)
    INSERT INTO kept_answers (cube_id, project_id, question, answer)
    SELECT cube.id, cube.project_id, kept.question, kept.answer
    FROM cube, unnest(CAST(:questions AS text[]), CAST(:answers AS text[])) AS kept (question, answer)
    ON CONFLICT (cube_id, question) DO NOTHING
""")

READ_BUDGET: Final[LiteralString] = """
SELECT COALESCE(p.daily_token_budget, %(default)s::bigint) AS budget, (
    SELECT COALESCE(sum(u.input_tokens + u.output_tokens), 0)::bigint FROM usage_days u
    WHERE u.project_id = p.id AND u.day = %(day)s AND u.purpose <> %(free)s
) AS spent
FROM projects p WHERE p.id = %(project_id)s
"""


class UsageRepository:
    """The usage of one project, in the transaction it is given."""

    def __init__(self, connection: AsyncConnection, project_id: UUID) -> None:
        self._connection = connection
        self._project_id = project_id

    async def add(self, key: UsageKey, usage: Usage) -> None:
        """Count calls for their day, and for their task if that is still there."""
        values = {
            "project_id": self._project_id,
            "purpose": key.purpose,
            "model": key.model,
            "calls": usage.calls,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
        }
        await self._connection.execute(_ADD_DAY, {**values, "day": key.day})
        if key.task_id is not None:
            await self._connection.execute(_ADD_TASK, {**values, "task_id": key.task_id})

    async def add_kind(self, key: KindKey, count: KindCount) -> None:
        """Count memories, and what was paid for them, for their day, and for their task if that is still there."""
        values = {
            "project_id": self._project_id,
            "kind": key.kind,
            "memories": count.memories,
            "calls": count.usage.calls,
            "input_tokens": count.usage.input_tokens,
            "output_tokens": count.usage.output_tokens,
        }
        await self._connection.execute(_ADD_DAY_KIND, {**values, "day": key.day})
        if key.task_id is not None:
            await self._connection.execute(_ADD_TASK_KIND, {**values, "task_id": key.task_id})

    async def list_days(self, first: date, last: date) -> list[DayUsage]:
        """What was used from the first day to the last, by day, purpose and model."""
        rows = await self._connection.execute(
            select(usage_days)
            .where(usage_days.c.project_id == self._project_id, usage_days.c.day.between(first, last))
            .order_by(usage_days.c.day, usage_days.c.purpose, usage_days.c.model)
        )
        return [
            DayUsage(row.day, row.purpose, row.model, Usage(row.calls, row.input_tokens, row.output_tokens))
            for row in rows
        ]

    async def list_kinds(self, first: date, last: date) -> list[KindUsage]:
        """What was made, and paid for it, from the first day to the last, by kind of memory."""
        counts = (
            func.sum(column).label(column.name)
            for column in (
                usage_day_kinds.c.memories,
                usage_day_kinds.c.calls,
                usage_day_kinds.c.input_tokens,
                usage_day_kinds.c.output_tokens,
            )
        )
        rows = await self._connection.execute(
            select(usage_day_kinds.c.kind, *counts)
            .where(usage_day_kinds.c.project_id == self._project_id, usage_day_kinds.c.day.between(first, last))
            .group_by(usage_day_kinds.c.kind)
            .order_by(usage_day_kinds.c.kind)
        )
        return [_kind(row) for row in rows]

    async def list_task_kinds(self, task_id: UUID) -> list[KindUsage]:
        """What a task made, and paid for it, by kind of memory."""
        rows = await self._connection.execute(
            select(usage_task_kinds)
            .where(usage_task_kinds.c.project_id == self._project_id, usage_task_kinds.c.task_id == task_id)
            .order_by(usage_task_kinds.c.kind)
        )
        return [_kind(row) for row in rows]

    async def list_answers(self, cube_id: UUID) -> dict[str, str]:
        """What the model answered to jobs of a cube that have to be tried again, by the marks of the questions."""
        rows = await self._connection.execute(
            select(kept_answers.c.question, kept_answers.c.answer).where(
                kept_answers.c.project_id == self._project_id, kept_answers.c.cube_id == cube_id
            )
        )
        return {row.question: row.answer for row in rows}

    async def keep_answers(self, cube_id: UUID, answers: Mapping[str, str]) -> None:
        """Keep answers, and none that were forgotten to be removed: those of two days ago go."""
        await self._connection.execute(
            delete(kept_answers).where(
                kept_answers.c.project_id == self._project_id,
                kept_answers.c.cube_id == cube_id,
                kept_answers.c.kept_at < func.now() - _ANSWERS_KEPT,
            )
        )
        await self._connection.execute(
            _KEEP_ANSWERS,
            {
                "project_id": self._project_id,
                "cube_id": cube_id,
                "questions": list(answers),
                "answers": list(answers.values()),
            },
        )

    async def forget_answers(self, cube_id: UUID, questions: Sequence[str]) -> None:
        """Remove answers that have been of use."""
        await self._connection.execute(
            delete(kept_answers).where(
                kept_answers.c.project_id == self._project_id,
                kept_answers.c.cube_id == cube_id,
                kept_answers.c.question.in_(questions),
            )
        )

    async def list_task(self, task_id: UUID) -> Sequence[TaskUsage]:
        """What a task used, by purpose and model."""
        rows = await self._connection.execute(
            select(usage_tasks)
            .where(usage_tasks.c.project_id == self._project_id, usage_tasks.c.task_id == task_id)
            .order_by(usage_tasks.c.purpose, usage_tasks.c.model)
        )
        return [
            TaskUsage(row.purpose, row.model, Usage(row.calls, row.input_tokens, row.output_tokens)) for row in rows
        ]


def _kind(row: Row[Any]) -> KindUsage:
    usage = Usage(int(row.calls), int(row.input_tokens), int(row.output_tokens))
    return KindUsage(row.kind, KindCount(int(row.memories), usage))
