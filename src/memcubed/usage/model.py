"""What model calls cost."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID


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


@dataclass(frozen=True, slots=True)
class UsageKey:
    """What calls are counted by; `day` is a day of UTC."""

    project_id: UUID
    day: date
    purpose: str
    model: str
    task_id: UUID | None = None


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
class Budget:
    """A project's tokens for a day; `limit` is None when there is no limit."""

    limit: int | None
    spent: int

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self.limit is not None and self.spent >= self.limit
