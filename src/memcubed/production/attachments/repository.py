"""Messages with attachments, and what was read of them, in the database."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, exists, func, literal, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.messages.attachments import find_attachments
from memcubed.production.attachments.model import MessageFiles, Reading, ReadPiece
from memcubed.store.tables import message_readings, messages, task_shares

ReadingKey = tuple[UUID, int]
"""A message's id, and the part of it that was read."""

EMPTY_FILE: Final = "data:,"

_FORGET_FILES: Final = text("""
    UPDATE messages SET payload = jsonb_set(payload, '{content}', (
        SELECT jsonb_agg(
            CASE
                WHEN part #>> '{file,file_data}' !~* '^ *https?://'
                    THEN jsonb_set(part, '{file,file_data}', to_jsonb(CAST(:empty AS text)))
                WHEN part #>> '{image_url,url}' !~* '^ *https?://'
                    THEN jsonb_set(part, '{image_url,url}', to_jsonb(CAST(:empty AS text)))
                WHEN jsonb_typeof(part -> 'image_url') = 'string' AND part ->> 'image_url' !~* '^ *https?://'
                    THEN jsonb_set(part, '{image_url}', to_jsonb(CAST(:empty AS text)))
                ELSE part
            END ORDER BY number
        )
        FROM jsonb_array_elements(payload -> 'content') WITH ORDINALITY AS parts (part, number)
    ))
    WHERE project_id = :project_id AND task_id = :task_id
        AND payload @? '$.content[*] ? (exists(@.file.file_data) || exists(@.image_url))'
        AND NOT EXISTS (
            SELECT FROM task_shares s WHERE s.project_id = :project_id AND s.task_id = :task_id
                AND s.status <> 'completed'
        )
""")

_CONTENT: Final = messages.c.payload["content"]


class AttachmentRepository:
    """The attachments of one project's messages, in the transaction it is given."""

    def __init__(self, connection: AsyncConnection, project_id: UUID) -> None:
        self._connection = connection
        self._project_id = project_id

    async def list_files(self, cube_id: UUID, task_id: UUID) -> list[MessageFiles]:
        """The messages of a task that have attachments, in order."""
        rows = await self._connection.execute(
            select(messages.c.id, messages.c.chat_time, messages.c.text, _CONTENT.label("content"))
            .where(
                messages.c.project_id == self._project_id,
                messages.c.cube_id == cube_id,
                messages.c.task_id == task_id,
                func.jsonb_typeof(_CONTENT) == "array",
            )
            .order_by(messages.c.position)
        )
        found = [MessageFiles(row.id, row.chat_time, row.text, tuple(find_attachments(row.content))) for row in rows]
        return [message for message in found if message.attachments]

    async def list_readings(self, task_id: UUID) -> dict[ReadingKey, Reading]:
        """What was read of a task's messages so far, in whichever of its cubes: the messages are the same."""
        rows = await self._connection.execute(
            select(message_readings)
            .join(
                messages,
                (messages.c.cube_id == message_readings.c.cube_id) & (messages.c.id == message_readings.c.message_id),
            )
            .where(message_readings.c.project_id == self._project_id, messages.c.task_id == task_id)
        )
        return {(row.message_id, row.part): Reading(_pieces(row.pieces), row.failure) for row in rows}

    async def add_reading(self, cube_id: UUID, message_id: UUID, part: int, reading: Reading) -> None:
        """Keep a reading, if the message still exists."""
        values = {
            "cube_id": cube_id,
            "message_id": message_id,
            "part": part,
            "project_id": self._project_id,
            "pieces": [[piece.key, piece.text] for piece in reading.pieces],
            "failure": reading.failure,
        }
        columns = [message_readings.c[name] for name in values]
        row = select(*(literal(value, column.type) for column, value in zip(columns, values.values(), strict=True)))
        is_there = exists().where(
            messages.c.project_id == self._project_id, messages.c.cube_id == cube_id, messages.c.id == message_id
        )
        await self._connection.execute(
            insert(message_readings).from_select(list(values), row.where(is_there)).on_conflict_do_nothing()
        )

    async def forget_readings(self, task_id: UUID) -> None:
        """Let go of what was read, once no share of the task needs it any more."""
        of_task = select(messages.c.id).where(
            messages.c.project_id == self._project_id,
            messages.c.task_id == task_id,
            messages.c.cube_id == message_readings.c.cube_id,
            messages.c.id == message_readings.c.message_id,
        )
        unfinished = exists().where(
            task_shares.c.project_id == self._project_id,
            task_shares.c.task_id == task_id,
            task_shares.c.finished_at.is_(None),
        )
        await self._connection.execute(
            delete(message_readings).where(
                message_readings.c.project_id == self._project_id, of_task.exists(), ~unfinished
            )
        )

    async def forget_files(self, task_id: UUID) -> None:
        """Let go of the files and images themselves, once every share of the task has what was read of them.

        An empty one takes their place, so that the message keeps its form.
        """
        await self._connection.execute(
            _FORGET_FILES, {"project_id": self._project_id, "task_id": task_id, "empty": EMPTY_FILE}
        )


def _pieces(stored: Any) -> tuple[ReadPiece, ...]:  # noqa: ANN401 - JSON
    return tuple(ReadPiece(str(key), str(text)) for key, text in stored)
