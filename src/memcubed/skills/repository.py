"""What skills are distilled from, and how far that has come, in the database."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.messages.model import DEFAULT_CONVERSATION, Role, Turn
from memcubed.skills.model import Episode
from memcubed.store.tables import cubes, messages, skill_runs, task_shares, tasks

_MOST_MESSAGES: Final = 2000
"""Of a cube, so many of the newest messages are read."""

# Literal, as the index on it is.
_ASKS_FOR_SKILLS: Final[ColumnElement[bool]] = literal_column("tasks.options -> 'kinds' ? 'skill'")


class SkillRepository:
    """The tasks of one project from which skills may be distilled, in the transaction it is given."""

    def __init__(self, connection: AsyncConnection, project_id: UUID) -> None:
        self._connection = connection
        self._project_id = project_id

    async def list_changed_cubes(self) -> list[UUID]:
        """The cubes in which tasks that ask for skills have ended since skills were last distilled there."""
        rows = await self._connection.execute(
            select(task_shares.c.cube_id)
            .join(tasks, tasks.c.id == task_shares.c.task_id)
            .outerjoin(skill_runs, skill_runs.c.cube_id == task_shares.c.cube_id)
            .where(
                tasks.c.project_id == self._project_id,
                task_shares.c.project_id == self._project_id,
                _ASKS_FOR_SKILLS,
                tasks.c.finished_at.is_not(None),
                or_(skill_runs.c.seen_until.is_(None), tasks.c.finished_at > skill_runs.c.seen_until),
            )
            .group_by(task_shares.c.cube_id)
            .order_by(task_shares.c.cube_id)
        )
        return list(rows.scalars())

    async def list_episodes(self, cube_id: UUID) -> tuple[list[Episode], datetime | None]:
        """The tasks of a cube that ask for skills, the eldest first, and when the newest of them ended."""
        seen_until: datetime | None = (
            await self._connection.execute(
                select(skill_runs.c.seen_until).where(
                    skill_runs.c.project_id == self._project_id, skill_runs.c.cube_id == cube_id
                )
            )
        ).scalar_one_or_none()
        rows = (
            await self._connection.execute(
                select(messages, tasks.c.finished_at)
                .join(tasks, tasks.c.id == messages.c.task_id)
                .where(
                    messages.c.project_id == self._project_id,
                    messages.c.cube_id == cube_id,
                    tasks.c.project_id == self._project_id,
                    tasks.c.finished_at.is_not(None),
                    _ASKS_FOR_SKILLS,
                )
                .order_by(messages.c.position.desc())
                .limit(_MOST_MESSAGES)
            )
        ).all()[::-1]
        turns: dict[tuple[str, str], list[Turn]] = {}
        ended: dict[tuple[str, str], datetime] = {}
        for row in rows:
            is_default = row.conversation_id == DEFAULT_CONVERSATION
            key = (str(row.task_id) if is_default else row.conversation_id, row.conversation_id)
            turns.setdefault(key, []).append(Turn(row.id, Role(row.role), row.text, row.chat_time, row.speaker))
            ended[key] = max(ended.get(key, row.finished_at), row.finished_at)
        episodes = [
            Episode(key, conversation_id, tuple(said), seen_until is None or ended[key, conversation_id] > seen_until)
            for (key, conversation_id), said in turns.items()
        ]
        return episodes, max(ended.values(), default=None)

    async def lock_cube(self, cube_id: UUID) -> bool:
        """Whether the cube still exists; if so it is not deleted before this transaction ends."""
        found = await self._connection.execute(
            select(cubes.c.id)
            .where(cubes.c.project_id == self._project_id, cubes.c.id == cube_id)
            .with_for_update(read=True, key_share=True)
        )
        return found.one_or_none() is not None

    async def set_seen(self, cube_id: UUID, seen_until: datetime) -> None:
        """Note that skills were distilled from what had ended by then."""
        values = {"cube_id": cube_id, "project_id": self._project_id, "seen_until": seen_until}
        await self._connection.execute(
            insert(skill_runs)
            .values(**values)
            .on_conflict_do_update(
                index_elements=["cube_id"],
                set_={"seen_until": func.greatest(skill_runs.c.seen_until, seen_until)},
            )
        )
