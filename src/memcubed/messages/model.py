"""What a message is, inside the service."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as production and recall read it: its text, who said it and when.

    `content` is the text of the message (parts joined by newlines), never None. `chat_time` is aware UTC.
    `speaker` is the message's `role_name`: who speaks in a group, or None.
    """

    message_id: UUID
    role: Role
    content: str
    chat_time: datetime
    speaker: str | None = None
