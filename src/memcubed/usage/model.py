"""What model calls cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

NO_KIND: Final = "none"
"""What calls are counted for that gave no memory."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Calls and their tokens."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(
            self.calls - other.calls,
            self.input_tokens - other.input_tokens,
            self.output_tokens - other.output_tokens,
        )


@dataclass(frozen=True, slots=True)
class UsageKey:
    """What calls are counted by; `day` is a day of UTC."""

    project_id: UUID
    day: date
    purpose: str
    model: str
    task_id: UUID | None = None

    @property
    def place(self) -> tuple[UUID, UUID | None]:
        """The project and the task."""
        return self.project_id, self.task_id


@dataclass(frozen=True, slots=True)
class KindKey:
    """What memories are counted by, and that part of what was paid which is theirs."""

    project_id: UUID
    day: date
    kind: str
    task_id: UUID | None = None

    @property
    def place(self) -> tuple[UUID, UUID | None]:
        """The project and the task."""
        return self.project_id, self.task_id


@dataclass(frozen=True, slots=True)
class KindCount:
    """Memories made, and what was paid for them."""

    memories: int = 0
    usage: Usage = Usage()

    def __add__(self, other: "KindCount") -> "KindCount":
        return KindCount(self.memories + other.memories, self.usage + other.usage)


@dataclass(frozen=True, slots=True)
class DayUsage:
    """What a project used on a day, for one purpose, of one model."""

    day: date
    purpose: str
    model: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class TaskUsage:
    """What a task used for one purpose, of one model."""

    purpose: str
    model: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class KindUsage:
    """What a project or task paid for memories of one kind, and how many were made."""

    kind: str
    count: KindCount


@dataclass(frozen=True, slots=True)
class Budget:
    """A project's tokens for a day; `limit` is None when there is no limit."""

    limit: int | None
    spent: int

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self.limit is not None and self.spent >= self.limit


def divide(usage: Usage, parts: Mapping[str, int]) -> dict[str, Usage]:
    """A cost in whole numbers, in proportion to the parts; together exactly the cost. Nothing without any parts.

    What is left over by rounding down goes to those that lost most by it (the method of the largest remainder,
    https://en.wikipedia.org/wiki/Largest_remainder_method), of equal ones to the larger part, then to the first.
    """
    counted = {name: part for name, part in parts.items() if part > 0}
    calls, asked, said = (_shares(number, counted) for number in (usage.calls, usage.input_tokens, usage.output_tokens))
    return {name: Usage(calls[name], asked[name], said[name]) for name in counted}


def _shares(number: int, parts: Mapping[str, int]) -> dict[str, int]:
    whole = sum(parts.values())
    shares = {name: number * part // whole for name, part in parts.items()}
    left = number - sum(shares.values())
    for name in sorted(parts, key=lambda one: (-(number * parts[one] % whole), -parts[one], one))[:left]:
        shares[name] += 1
    return shares


def with_rest(kinds: Sequence[KindUsage], total: Usage) -> list[KindUsage]:
    """The kinds, and as `none` what of the total was paid for none of them: together exactly the total."""
    rest = total
    for one in kinds:
        rest -= one.count.usage
    return [*kinds, *([KindUsage(NO_KIND, KindCount(0, rest))] if rest != Usage() else [])]
