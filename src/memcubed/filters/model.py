"""What a filter asks for, inside the service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from memcubed.store.cubes import CubeKind


class Comparison(StrEnum):
    """How a time or a number is compared."""

    LESS = "lt"
    MORE = "gt"
    AT_MOST = "lte"
    AT_LEAST = "gte"


class Column(StrEnum):
    """What a memory has one text of."""

    AGENT_ID = "agent_id"
    APP_ID = "app_id"
    CONVERSATION_ID = "conversation_id"
    SOURCE_ROLE = "source_role"


class Moment(StrEnum):
    """A time of a memory, by the name that answers give it."""

    CREATED = "create_time"
    UPDATED = "update_time"


@dataclass(frozen=True, slots=True)
class All:
    """Every one of these holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of these holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class ColumnIs:
    """The column is one of these values."""

    column: Column
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RelatedTo:
    """One of these users or agents took part in the conversation."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tagged:
    """The memory has this tag."""

    tag: str


@dataclass(frozen=True, slots=True)
class TimeCompares:
    """The time, in the whole milliseconds that answers give, compares so to another. `than` is aware."""

    moment: Moment
    comparison: Comparison
    than: datetime


@dataclass(frozen=True, slots=True)
class InfoIs:
    """The field is one of these values, of the same type, or a list that has one of them."""

    name: str
    values: tuple[str | int | float | bool, ...]


@dataclass(frozen=True, slots=True)
class InfoCompares:
    """The field is a number that compares so to another."""

    name: str
    comparison: Comparison
    than: int | float


@dataclass(frozen=True, slots=True)
class InfoContains:
    """The field is a list that has this text, or a text that this is a part of."""

    name: str
    text: str


Leaf = ColumnIs | RelatedTo | Tagged | TimeCompares | InfoIs | InfoCompares | InfoContains
Condition = All | AnyOf | Leaf


@dataclass(frozen=True, slots=True)
class Filters:
    """A request's filter: a condition for the memories of each kind of cube that it says something of."""

    conditions: Mapping[CubeKind, Condition] = field(default_factory=dict)

    def of(self, source: CubeKind) -> Condition | None:
        """What the memories in cubes of this kind must meet; None when the filter says nothing of them."""
        return self.conditions.get(source)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left out of any cube."""
        return not self.conditions


NO_FILTER: Final = Filters()
