"""What a message is, inside the service."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

from memcubed.language.redaction import redact, redacting

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

    def redacted(self) -> Self:
        """The same with nothing in what was said that is redacted; for what was stored before that was asked for."""
        calls = tuple(replace(call, arguments=redact(call.arguments)) for call in self.tool_calls)
        return replace(
            self, content=redact(self.content), tool_calls=calls, tools=tuple(redact(tool) for tool in self.tools)
        )


async def redacted_if_asked(turns: Sequence[Turn]) -> Sequence[Turn]:
    """The turns as the running job's project lets them be read."""
    if not redacting.get():
        return turns
    return await asyncio.to_thread(lambda: [turn.redacted() for turn in turns])
