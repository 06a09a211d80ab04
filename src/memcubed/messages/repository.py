"""Messages in the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.messages.model import Turn
from memcubed.store.tables import messages


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it was sent, and when it was."""

    id: UUID
    payload: Mapping[str, JsonValue]
    chat_time: datetime
    created_at: datetime


class MessageRepository:
    """The messages of one project, in the transaction it is given."""

    def __init__(self, connection: AsyncConnection, project_id: UUID) -> None:
        self._connection = connection
        self._project_id = project_id

    async def add(
        self,
        cube_id: UUID,
        task_id: UUID,
        conversation_id: str,
        turns: Sequence[Turn],
        payloads: Sequence[Mapping[str, JsonValue]],
    ) -> None:
        """Store turns beside the messages they were read from, in order."""
        await self._connection.execute(
            insert(messages),
            [
                {
                    "cube_id": cube_id,
                    "id": turn.message_id,
                    "project_id": self._project_id,
                    "task_id": task_id,
                    "conversation_id": conversation_id,
                    "role": turn.role.value,
                    "speaker": turn.speaker,
                    "text": turn.content,
                    "payload": dict(payload),
                    "chat_time": turn.chat_time,
                }
                for turn, payload in zip(turns, payloads, strict=True)
            ],
        )

    async def list_newest(self, cube_id: UUID, conversation_id: str, limit: int) -> list[StoredMessage]:
        """The newest messages of a conversation, oldest first."""
        rows = await self._connection.execute(
            select(messages.c.id, messages.c.payload, messages.c.chat_time, messages.c.created_at)
            .where(
                messages.c.project_id == self._project_id,
                messages.c.cube_id == cube_id,
                messages.c.conversation_id == conversation_id,
            )
            .order_by(messages.c.position.desc())
            .limit(limit)
        )
        newest = [StoredMessage(row.id, row.payload, row.chat_time, row.created_at) for row in rows]
        return newest[::-1]
