"""Calls of tools, their results and their definitions, as messages carry them (OpenAI's form, read with tolerance)."""

import json
from collections.abc import Mapping
from typing import Any, Final

from memcubed.messages.model import Role, ToolCall, ToolResult

MAX_TOOLS: Final = 128
"""So many definitions of one message or request are read."""

_FAILED: Final = frozenset({"error", "failed", "failure"})


def read_calls(calls: object) -> tuple[ToolCall, ...]:
    """The calls of a message's `tool_calls`; what has no name is left out."""
    found = []
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping):
            continue
        arguments = function.get("arguments", "")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        found.append(ToolCall(_text(call.get("id")), str(function.get("name") or ""), text))
    return tuple(found)


def read_definitions(tools: object) -> tuple[str, ...]:
    """Each definition of a `tools` field as JSON text; what is no object is left out."""
    listed = tools if isinstance(tools, list) else [tools]
    return tuple(json.dumps(tool, ensure_ascii=False) for tool in listed if isinstance(tool, dict))[:MAX_TOOLS]


def tool_fields(role: Role, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Turn that tell of tools, from the message as it was sent."""
    result = None
    if role is Role.TOOL:
        is_error = payload.get("is_error") is True or payload.get("status") in _FAILED
        result = ToolResult(_text(payload.get("tool_call_id")), _text(payload.get("name")), is_error)
    return {
        "role_id": _text(payload.get("role_id")),
        "tool_calls": read_calls(payload.get("tool_calls")) if role is Role.ASSISTANT else (),
        "tool_result": result,
        "tools": read_definitions(payload.get("tools")),
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
