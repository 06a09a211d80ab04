"""Conditions as SQL.

The text of a fragment is put together from the constants below and from the names of its parameters; what a client
sent, names of `info` fields included, is only ever the value of a parameter.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

from sqlalchemy import BindParameter, TextClause, bindparam, text

from memcubed.filters.model import (
    All,
    AnyOf,
    Column,
    ColumnIs,
    Comparison,
    Condition,
    InfoCompares,
    InfoContains,
    InfoIs,
    Moment,
    RelatedTo,
    Tagged,
    TimeCompares,
)

_COLUMNS: Final[Mapping[Column, LiteralString]] = {
    Column.AGENT_ID: "agent_id",
    Column.APP_ID: "app_id",
    Column.CONVERSATION_ID: "conversation_id",
    Column.SOURCE_ROLE: "source_role",
}
_MOMENTS: Final[Mapping[Moment, LiteralString]] = {Moment.CREATED: "created_at", Moment.UPDATED: "updated_at"}
_OPERATORS: Final[Mapping[Comparison, LiteralString]] = {
    Comparison.LESS: "<",
    Comparison.MORE: ">",
    Comparison.AT_MOST: "<=",
    Comparison.AT_LEAST: ">=",
}
# Migration 0014 says why, and what the marks are.
_MARKS: Final[Mapping[str, LiteralString]] = {
    "business_type": "business_type_mark",
    "biz_id": "biz_id_mark",
    "scene": "scene_mark",
    "custom_status": "custom_status_mark",
}
_LIST_MARK: Final = "[]"
_MARK_CHARACTERS: Final = 64
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class CompiledCondition:
    """A boolean expression over `memories` and the values of its parameters, for psycopg: `%(name)s`."""

    sql: LiteralString
    parameters: Mapping[str, Any]


def compile_condition(
    condition: Condition, *, prefix: LiteralString = "filter", alias: LiteralString = "m"
) -> CompiledCondition:
    """A condition over the memories that a statement calls `alias`, in parentheses, for psycopg.

    Every parameter's name begins with `prefix`, so that the conditions of one statement can be told apart. Where a
    memory lacks what is asked for the expression may be null, which keeps it out as false does.
    """
    writer = _Writer(f"{alias}.", prefix, "%(", ")s")
    sql = writer.write(condition)
    return CompiledCondition(f"({sql})", writer.parameters)


def matching(condition: Condition, *, alias: LiteralString = "memories") -> TextClause:
    """The same for a SQLAlchemy statement over `store.tables.memories`, to be given to `where`."""
    writer = _Writer(f"{alias}.", "filter", ":", "")
    sql = writer.write(condition)
    bound: list[BindParameter[Any]] = [bindparam(name, value, unique=True) for name, value in writer.parameters.items()]
    return text(f"({sql})").bindparams(*bound)


@dataclass(slots=True)
class _Writer:
    of: LiteralString
    prefix: LiteralString
    opening: LiteralString
    closing: LiteralString
    parameters: dict[str, Any] = field(default_factory=dict)

    def write(self, condition: Condition) -> LiteralString:  # noqa: PLR0911 - one for each kind of condition
        match condition:
            case All(parts):
                return self._join(parts, " AND ")
            case AnyOf(parts):
                return self._join(parts, " OR ")
            case ColumnIs(column, texts):
                return f"{self.of}{_COLUMNS[column]} = ANY({self._bind(list(texts), 'text[]')})"
            case RelatedTo(ids):
                return f"{self.of}related_ids && {self._bind(list(ids), 'text[]')}"
            case Tagged(tag):
                return f"{self._bind(tag, 'text')} = ANY({self.of}tags)"
            case TimeCompares(moment, comparison, than):
                return self._time(_MOMENTS[moment], comparison, than)
            case InfoIs(name, values):
                # of a list, @> asks whether it has the value; of anything else, whether it is the value
                wanted = self._bind([json.dumps(value) for value in values], "jsonb[]")
                return f"{self._mark(name, values)}{self._info(name)} @> ANY({wanted})"
            case InfoCompares(name, comparison, than):
                info, number = self._info(name), self._bind(repr(than), "numeric")
                return (
                    f"CASE WHEN jsonb_typeof({info}) = 'number'"
                    f" THEN CAST({info} AS numeric) {_OPERATORS[comparison]} {number} END"
                )
            case InfoContains(name, part):
                info, wanted = self._info(name), self._bind(part, "text")
                return (
                    f"CASE jsonb_typeof({info}) WHEN 'array' THEN {info} @> to_jsonb({wanted})"
                    f" WHEN 'string' THEN strpos({info} #>> '{{}}', {wanted}) > 0 END"
                )

    def _join(self, parts: Sequence[Condition], operator: LiteralString) -> LiteralString:
        return operator.join(f"({self.write(part)})" for part in parts)

    def _time(self, column: LiteralString, comparison: Comparison, than: datetime) -> LiteralString:
        # Answers cut times to milliseconds. Comparing the column itself, with a bound moved to where the comparison
        # of cut times changes, lets an index be used.
        cut = than - timedelta(microseconds=than.microsecond % 1000)
        if comparison in {Comparison.AT_MOST, Comparison.MORE} or cut != than:
            cut += _MILLISECOND
        operator: LiteralString = ">=" if comparison in {Comparison.MORE, Comparison.AT_LEAST} else "<"
        return f"{self.of}{column} {operator} {self._bind(cut, 'timestamptz')}"

    def _info(self, name: str) -> LiteralString:
        return f"({self.of}info -> {self._bind(name, 'text')})"

    def _mark(self, name: str, values: Sequence[object]) -> LiteralString:
        """A condition that an index can look up and that holds wherever the exact one does."""
        if name not in _MARKS or not all(isinstance(value, str) for value in values):
            return ""
        marks = {f"={value}"[: _MARK_CHARACTERS + 1] for value in values}
        return f"{self.of}{_MARKS[name]} = ANY({self._bind([_LIST_MARK, *sorted(marks)], 'text[]')}) AND "

    def _bind(self, value: object, type_: LiteralString) -> LiteralString:
        name = f"{self.prefix}_{len(self.parameters)}"
        self.parameters[name] = value
        return f"CAST({self.opening}{name}{self.closing} AS {type_})"
