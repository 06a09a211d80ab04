"""Usage in the database."""

from collections.abc import Sequence
from datetime import date
from typing import Final, LiteralString
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.store.tables import usage_days, usage_tasks
from memcubed.usage.model import DayUsage, TaskUsage, Usage, UsageKey

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
