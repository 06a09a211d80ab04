"""From a message as it was sent to the text that production and recall read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import uuid4
from zoneinfo import ZoneInfo

from memcubed.contract.times import parse_time
from memcubed.errors import InputTooLongError, RequestTooLargeError
from memcubed.language.tokens import estimate_tokens
from memcubed.messages.model import Turn
from memcubed.messages.schemas import MessageIn
from memcubed.messages.tool_use import read_calls, tool_fields

SHOWN_INSTEAD: Final = {"image_url": "[image]", "file": "[file]"}
"""What stands in a message's text for its parts that are no text."""


def read_turns(messages: list[MessageIn], *, zone: ZoneInfo, now: datetime) -> list[Turn]:
    """One turn a message. Raises InvalidRequestError for a `chat_time` that is none."""
    turns = []
    for index, message in enumerate(messages):
        chat_time = (
            now
            if message.chat_time is None
            else parse_time(message.chat_time, f"messages[{index}].chat_time", zone=zone, now=now)
        )
        speaker = message.role_name or message.role_id
        tools = tool_fields(message.role, message.model_dump())
        turns.append(Turn(uuid4(), message.role, read_text(message), chat_time, speaker, **tools))
    return turns


def check_length(turns: Sequence[Turn], most: int) -> int:
    """About how many tokens the turns have together.

    Raises InputTooLongError when one has more than `most` tokens, RequestTooLargeError when all together have.
    """
    total = 0
    for index, turn in enumerate(turns):
        length = estimate_tokens(turn.content)
        total += length
        if length > most:
            raise InputTooLongError(f"messages[{index}].content has about {length} tokens; at most {most} are allowed.")
    if total > most:
        raise RequestTooLargeError(
            f"messages have about {total} tokens together; at most {most} are allowed in one call."
        )
    return total


def read_text(message: MessageIn) -> str:
    """The message's text: its text parts, a mark for each part that is none, and its tool calls by name."""
    lines = []
    if isinstance(message.content, str):
        lines.append(message.content)
    else:
        for part in message.content or []:
            kind = str(part.get("type"))
            lines.append(str(part.get("text", "")) if kind == "text" else SHOWN_INSTEAD.get(kind, ""))
    lines += [call.text for call in read_calls(message.tool_calls)]
    return "\n".join(line for line in lines if line)
