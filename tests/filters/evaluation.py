"""What a filter means, in plain Python and straight from its JSON: what the SQL is held against."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Any
from uuid import UUID

COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {"lt": lt, "gt": gt, "lte": le, "gte": ge}


@dataclass(frozen=True, slots=True)
class Memory:
    id: UUID
    agent_id: str | None
    app_id: str | None
    conversation_id: str
    source_role: str
    related_ids: list[str]
    tags: list[str]
    info: dict[str, Any]
    created_at: datetime
    updated_at: datetime


def matches(condition: Mapping[str, Any], memory: Memory) -> bool:
    return all(_holds(key, value, memory) for key, value in condition.items())


def _holds(key: str, value: Any, memory: Memory) -> bool:  # noqa: ANN401, PLR0911 - JSON, of many kinds
    match key:
        case "and":
            return all(matches(part, memory) for part in value)
        case "or":
            return any(matches(part, memory) for part in value)
        case "agent_id" | "app_id" | "conversation_id" | "source_role":
            return getattr(memory, key) in _as_list(value)
        case "related_id":
            return any(one in memory.related_ids for one in _as_list(value))
        case "tags":
            return value["contains"] in memory.tags
        case "create_time":
            return _time_compares(memory.created_at, value)
        case "update_time":
            return _time_compares(memory.updated_at, value)
        case _:
            name = key.removeprefix("info.")
            return name in memory.info and _info_holds(memory.info[name], value)


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return value if isinstance(value, list) else [value]


def _time_compares(moment: datetime, operators: Mapping[str, str | int]) -> bool:
    shown = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    return all(COMPARE[operator](shown, _read(than)) for operator, than in operators.items())


def _read(than: str | int) -> datetime:
    if isinstance(than, str):
        return datetime.fromisoformat(than)
    return datetime.fromtimestamp(than / 1000, UTC)


def _info_holds(held: Any, value: Any) -> bool:  # noqa: ANN401 - JSON
    if not isinstance(value, dict):
        return any(_same(held, one) or (isinstance(held, list) and one in held) for one in _as_list(value))
    return all(_operator_holds(held, operator, than) for operator, than in value.items())


def _operator_holds(held: Any, operator: str, than: Any) -> bool:  # noqa: ANN401 - JSON
    if operator == "contains":
        return isinstance(held, str | list) and than in held
    return _is_number(held) and COMPARE[operator](_exact(held), _exact(than))


def _same(one: Any, other: Any) -> bool:  # noqa: ANN401 - JSON
    if _is_number(one) and _is_number(other):
        return _exact(one) == _exact(other)
    return type(one) is type(other) and bool(one == other)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _exact(number: float) -> Decimal:
    return Decimal(repr(number))
