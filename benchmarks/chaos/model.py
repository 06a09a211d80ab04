"""What is done to the service, what is asked of it, and what came of that."""

import random
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

Json = dict[str, Any]


class Blow(StrEnum):
    """Something that ends a process."""

    API_KILLED = "API: kill -9"
    API_STOPPED = "API: SIGTERM"
    WORKER_KILLED = "worker: kill -9"
    WORKER_STOPPED = "worker: SIGTERM"
    DATABASE_KILLED = "PostgreSQL: kill -9"
    DATABASE_STOPPED = "PostgreSQL: SIGTERM"
    BACKEND_KILLED = "one backend of PostgreSQL: kill -9"
    BACKEND_STOPPED = "one backend of PostgreSQL: SIGTERM"


class Fault(StrEnum):
    """Something that goes wrong for a while."""

    CONNECTIONS_USED_UP = "no connection of PostgreSQL left"
    MODEL_HANGS = "model: no answer in time"
    MODEL_RATE_LIMITS = "model: 429 with Retry-After"
    MODEL_FAILS = "model: 500"
    MODEL_BABBLES = "model: broken JSON"
    MODEL_HANGS_UP = "model: dropped connections"
    MODEL_IS_AWAY = "model: connections refused"


@dataclass(frozen=True, slots=True)
class Event:
    """A blow, or a fault with how long it lasts; `at` and `seconds` are seconds, `at` from the start."""

    at: float
    what: Blow | Fault
    seconds: float = 0.0


_SHORTEST_FAULT: Final = 1.0
_LONGEST_FAULT: Final = 8.0
_PAUSE_BETWEEN_FAULTS: Final = 6.0


def plan(seed: int, seconds: float, kills: int) -> list[Event]:
    """So many blows over this time, each kind as often as the others, and faults all along; the same for a seed."""
    chosen = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    blows: list[Blow] = []
    while len(blows) < kills:
        blows += chosen.sample(list(Blow), len(Blow))
    step = seconds / max(kills, 1)
    events = [Event(step * (index + chosen.uniform(0.1, 0.9)), blow) for index, blow in enumerate(blows[:kills])]
    faults: list[Fault] = []
    at = chosen.uniform(0, _PAUSE_BETWEEN_FAULTS)
    while at < seconds:
        if not faults:
            faults = chosen.sample(list(Fault), len(Fault))
        length = min(chosen.uniform(_SHORTEST_FAULT, _LONGEST_FAULT), seconds - at)
        events.append(Event(at, faults.pop(), length))
        at += length + chosen.uniform(0, _PAUSE_BETWEEN_FAULTS)
    return sorted(events, key=lambda event: event.at)


@dataclass(slots=True)
class Add:
    """An add/message or add/feedback that was sent; `mark` is a word that is in no other one.

    `owners` are the cubes (kind, owner) that it is to be in: all of them or none. `task_ids` are those of its answers,
    `attached` is the mark of the file that it has.
    """

    route: str
    mark: str
    body: Json
    owners: tuple[tuple[str, str], ...]
    key: str | None = None
    attached: str | None = None
    sent: int = 0
    task_ids: list[str] = field(default_factory=list)

    @property
    def is_answered(self) -> bool:
        """Whether it was accepted, so that it must not be lost."""
        return bool(self.task_ids)

    @property
    def is_changeable(self) -> bool:
        """Whether it makes one memory of one owner, which its client may change later."""
        return self.is_answered and self.route == "add/message" and len(self.owners) == 1 and self.attached is None

    @property
    def conversation_id(self) -> str:
        """Its conversation."""
        return str(self.body["conversation_id"])


@dataclass(slots=True)
class Upload:
    """A file that was sent to a knowledge base, once. `file_ids` are those of the answer, if there was one."""

    mark: str
    base: str
    content: str
    file_ids: list[str] = field(default_factory=list)

    @property
    def is_answered(self) -> bool:
        """Whether it was accepted."""
        return bool(self.file_ids)

    @property
    def body(self) -> Json:
        """What is sent: the file's name has its mark."""
        return {"knowledgebase_id": self.base, "file": [{"name": f"{self.mark}.md", "content": self.content}]}


@dataclass(slots=True)
class Change:
    """What a client did to the memory of an add: gave it a text with another mark, or deleted it (`new_mark` None)."""

    add: Add
    new_mark: str | None
    is_answered: bool = False


@dataclass(slots=True)
class Ledger:
    """Everything that happened."""

    adds: list[Add] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    """How often what was done to the service."""
    answers: Counter[str] = field(default_factory=Counter)
    """How often a route answered what: `add/message 200`, or the name of the transport's error."""
    violations: list[str] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def kills(self) -> int:
        """How many processes were ended."""
        return sum(self.done[blow] for blow in Blow)
