"""What a message is, inside the service."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

DEFAULT_CONVERSATION: Final = "default"
"""The conversation of messages that name none."""


class Role(StrEnum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that an assistant's message asks for; `arguments` is JSON text as it was sent."""

    id: str | None
    name: str
    arguments: str

    @property
    def text(self) -> str:
        """How the call stands in the text of its message."""
        return f"{self.name}({self.arguments})"


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool's message says of the call that it answers; `is_error` when the message itself marks a failure."""

    call_id: str | None = None
    name: str | None = None
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as production and recall read it: its text, who said it and when.

    `content` is the text of the message (parts joined by newlines), never None. `chat_time` is aware UTC.
    `speaker` is the message's `role_name`, or its `role_id` without one: who speaks in a group, or None.
    `tools` are the definitions of tools that came with the message, each as JSON text.
    """

    message_id: UUID
    role: Role
    content: str
    chat_time: datetime
    speaker: str | None = None
    role_id: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_result: ToolResult | None = None
    tools: tuple[str, ...] = ()
