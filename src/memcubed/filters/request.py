"""Filters as clients send them.

Every key of an object has to hold, so a bare condition and several in one object need no `and` around them. A key that
is none of the language's own is a field of `info`; `info.` before a name makes it one in any case.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, NoReturn
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field

from memcubed.contract.request import clean
from memcubed.contract.times import parse_time
from memcubed.errors import EmptyListError, InvalidRequestError
from memcubed.filters.model import (
    NO_FILTER,
    All,
    AnyOf,
    Column,
    ColumnIs,
    Comparison,
    Condition,
    Filters,
    InfoCompares,
    InfoContains,
    InfoIs,
    Leaf,
    Moment,
    RelatedTo,
    Tagged,
    TimeCompares,
)
from memcubed.store.cubes import CubeKind

MAX_DEPTH: Final = 10
"""Levels of `and` and `or` within one another."""

MAX_CONDITIONS: Final = 200
"""Conditions in one filter, those of all its levels and sources together."""

MAX_VALUES: Final = 200
"""Values in one list."""

SOURCE_ROLES: Final = ("user", "feedback", "system", "assistant", "document", "tool")
"""What `source_role` can be: the values of `memories.model.SourceRole`."""

_SOURCES: Final = {kind.value: kind for kind in CubeKind}
_COMPARISONS: Final = {comparison.value: comparison for comparison in Comparison}
_OPERATORS: Final = (*_COMPARISONS, "contains")
_INFO_PREFIX: Final = "info."
_LARGEST: Final = 1e300
_SHOWN: Final = 100
_SHAPE: Final = 'an object such as {"and": [{"agent_id": "a"}, {"tags": {"contains": "x"}}]}'


def _check_filter(value: object) -> object:
    if value is not None and not isinstance(value, dict):
        raise InvalidRequestError(f"filter must be {_SHAPE}.")
    return value


FilterBody = Annotated[
    dict[str, Any] | None,
    BeforeValidator(_check_filter),
    Field(examples=[{"and": [{"agent_id": "a"}, {"create_time": {"gte": "2025-12-10"}}]}]),
]
"""The `filter` of a request body; `parse_filter` reads it where the project, and so the zone of its times, is known."""


def parse_filter(value: object, *, zone: ZoneInfo, now: datetime, field: str = "filter") -> Filters:
    """A request's filter; absent and empty ones leave nothing out.

    Times without a zone are read in `zone`. Raises InvalidRequestError, naming the key, for what the language has not.
    """
    if value is None:
        return NO_FILTER
    if not isinstance(value, dict):
        raise InvalidRequestError(f"{field} must be {_SHAPE}.")
    body = clean(value, field)
    if not isinstance(body, dict) or not body:
        return NO_FILTER
    reader = _Reader(zone, now)
    if not _is_per_source(body):
        condition = reader.read(body, field, depth=1)
        return Filters(dict.fromkeys(CubeKind, condition))
    conditions = {}
    for source, part in body.items():
        path = _path(field, source)
        if source not in _SOURCES:
            raise InvalidRequestError(
                f"{path} is no source; a filter with one object for each source has the keys {', '.join(_SOURCES)}."
            )
        if not isinstance(part, dict):
            raise InvalidRequestError(f"{path} must be {_SHAPE}.")
        if part:
            conditions[_SOURCES[source]] = reader.read(part, path, depth=1)
    return Filters(conditions)


def _is_per_source(body: Mapping[str, object]) -> bool:
    return any(isinstance(part, dict) and key in _SOURCES for key, part in body.items())


@dataclass(slots=True)
class _Reader:
    zone: ZoneInfo
    now: datetime
    conditions: int = 0

    def read(self, body: Mapping[str, object], path: str, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise InvalidRequestError(f"{path} is nested too deep; at most {MAX_DEPTH} levels are allowed.")
        if not body:
            raise EmptyListError(f"{path} must not be empty; a condition whose value is null counts as absent.")
        parts: list[Condition] = []
        for key, value in body.items():
            here = _path(path, key)
            if key in {"and", "or"}:
                parts.append(self._group(key, value, here, depth))
            else:
                parts += self._leaves(key, value, here)
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _group(self, key: str, value: object, path: str, depth: int) -> Condition:
        if not isinstance(value, list):
            raise InvalidRequestError(f"{path} must be a list of conditions.")
        if not value:
            raise EmptyListError(f"{path} must not be an empty list.")
        parts = []
        for index, part in enumerate(value):
            here = f"{path}[{index}]"
            if not isinstance(part, dict):
                raise InvalidRequestError(f'{here} must be a condition such as {{"scene": "chat"}}.')
            parts.append(self.read(part, here, depth + 1))
        return All(tuple(parts)) if key == "and" else AnyOf(tuple(parts))

    def _leaves(self, key: str, value: object, path: str) -> list[Leaf]:
        leaves: list[Leaf]
        if key in set(Column):
            leaves = [ColumnIs(Column(key), _column_values(key, value, path))]
        elif key == "related_id":
            leaves = [RelatedTo(_texts(value, path))]
        elif key == "tags":
            leaves = [Tagged(_tag(value, path))]
        elif key in set(Moment):
            leaves = self._times(Moment(key), value, path)
        elif key in _OPERATORS:
            raise InvalidRequestError(
                f'{path} is an operator without a field; write {{"field": {{"{key}": ...}}}}, or'
                f" `{_INFO_PREFIX}{key}` for a field of info with this name."
            )
        else:
            leaves = _info(key.removeprefix(_INFO_PREFIX), value, path)
        self.conditions += len(leaves)
        if self.conditions > MAX_CONDITIONS:
            raise InvalidRequestError(f"{path} is one condition too many; at most {MAX_CONDITIONS} are allowed.")
        return leaves

    def _times(self, moment: Moment, value: object, path: str) -> list[Leaf]:
        example = f'{{"gte": "2025-12-10"}} ({", ".join(_COMPARISONS)})'
        if not isinstance(value, dict):
            raise InvalidRequestError(f"{path} must be an object such as {example}.")
        if not value:
            raise EmptyListError(f"{path} must not be empty; it takes {example}.")
        leaves: list[Leaf] = []
        for operator, than in value.items():
            here = _path(path, operator)
            if operator not in _COMPARISONS:
                _refuse_operator(here, _COMPARISONS)
            time = parse_time(than, here, zone=self.zone, now=self.now)
            leaves.append(TimeCompares(moment, _COMPARISONS[operator], time))
        return leaves


def _info(name: str, value: object, path: str) -> list[Leaf]:
    if not isinstance(value, dict):
        return [InfoIs(name, _values(value, path))]
    if not value:
        raise EmptyListError(f"{path} must not be empty; give a value, or an operator with its value.")
    leaves: list[Leaf] = []
    for operator, than in value.items():
        here = _path(path, operator)
        if operator == "contains":
            leaves.append(InfoContains(name, _text(than, here)))
        elif operator in _COMPARISONS:
            if isinstance(than, str):
                raise InvalidRequestError(
                    f"{here} must be a number: fields of info are compared as numbers, and as times only"
                    f" {' and '.join(Moment)}."
                )
            leaves.append(InfoCompares(name, _COMPARISONS[operator], _number(than, here)))
        else:
            _refuse_operator(here, _OPERATORS)
    return leaves


def _column_values(key: str, value: object, path: str) -> tuple[str, ...]:
    values = _texts(value, path)
    if key == Column.SOURCE_ROLE:
        for one in values:
            if one not in SOURCE_ROLES:
                raise InvalidRequestError(f"{path} must be one of {', '.join(SOURCE_ROLES)}, or a list of them.")
    return values


def _tag(value: object, path: str) -> str:
    if not isinstance(value, dict) or not value:
        raise InvalidRequestError(f'{path} must be an object such as {{"contains": "travel"}}.')
    for operator in value:
        if operator != "contains":
            _refuse_operator(_path(path, operator), ("contains",))
    return _text(value["contains"], _path(path, "contains"))


def _values(value: object, path: str) -> tuple[str | int | float | bool, ...]:
    if not isinstance(value, list):
        return (_value(value, path),)
    _check_length(value, path)
    return tuple(_value(one, f"{path}[{index}]") for index, one in enumerate(value))


def _value(value: object, path: str) -> str | int | float | bool:
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        return _number(value, path)
    raise InvalidRequestError(f"{path} must be a string, a number, true or false, or a list of such.")


def _texts(value: object, path: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        if not isinstance(value, str):
            raise InvalidRequestError(f"{path} must be a string, or a list of strings of which any one will do.")
        return (_text(value, path),)
    _check_length(value, path)
    return tuple(_text(one, f"{path}[{index}]") for index, one in enumerate(value))


def _text(value: object, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidRequestError(f"{path} must be a string that is not empty.")
    return value


def _number(value: object, path: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRequestError(f"{path} must be a number.")
    if abs(value) > _LARGEST or not math.isfinite(value):
        raise InvalidRequestError(f"{path} must be a number of at most 300 digits.")
    return value


def _check_length(values: list[Any], path: str) -> None:
    if not values:
        raise EmptyListError(f"{path} must not be an empty list.")
    if len(values) > MAX_VALUES:
        raise InvalidRequestError(f"{path} takes at most {MAX_VALUES} values; it has {len(values)}.")


def _refuse_operator(path: str, known: Mapping[str, object] | tuple[str, ...]) -> NoReturn:
    raise InvalidRequestError(f"{path} is no operator that this field takes; it takes {', '.join(known)}.")


def _path(path: str, key: str) -> str:
    return f"{path}.{key if len(key) <= _SHOWN else key[:_SHOWN] + '…'}"
