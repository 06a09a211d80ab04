"""What a memory is, inside the service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import JsonValue

from memcubed.messages.model import Role
from memcubed.providers.embeddings import Vector

FAST_MODE_TAG = "mode:fast"
"""The tag of raw turns that can be recalled before production has read them."""


class MemoryKind(StrEnum):
    """What a memory says; the answer lists and their limits follow from it."""

    FACT = "fact"
    EXPLICIT_PREFERENCE = "explicit_preference"
    IMPLICIT_PREFERENCE = "implicit_preference"

    @property
    def is_preference(self) -> bool:
        """Whether it is answered under `preference_detail_list`."""
        return self is not MemoryKind.FACT


class MemoryView(StrEnum):
    """The kinds of memory as requests name them."""

    PROFILE = "profile"
    EVENT = "event"
    DETAIL_FACTUAL = "detail_factual"
    PREFERENCE = "preference"
    TOOL_MEMORY = "tool_memory"
    SKILL = "skill"

    @property
    def kinds(self) -> frozenset["MemoryKind"]:
        """The kinds of memory that come under this view; none for views that are not produced."""
        match self:
            case MemoryView.DETAIL_FACTUAL:
                return frozenset({MemoryKind.FACT})
            case MemoryView.PREFERENCE:
                return frozenset({MemoryKind.EXPLICIT_PREFERENCE, MemoryKind.IMPLICIT_PREFERENCE})
            case _:
                return frozenset()


class MemoryLayer(StrEnum):
    """How settled a memory is: raw turns are working memory until production has read them."""

    WORKING = "WorkingMemory"
    LONG_TERM = "LongTermMemory"
    USER = "UserMemory"


class MemoryStatus(StrEnum):
    """Where a memory stands in its lifecycle; only activated ones are recalled."""

    ACTIVATED = "activated"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class KnownMemory:
    """A memory that a cube already holds, as production is shown it."""

    id: UUID
    kind: MemoryKind
    value: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a memory inherits from the request that its messages came with."""

    task_id: UUID
    conversation_id: str
    app_id: str | None = None
    agent_id: str | None = None
    info: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewMemory:
    """A memory about to be stored. `vector` is None when it could not be embedded yet."""

    kind: MemoryKind
    layer: MemoryLayer
    key: str
    value: str
    index_text: str
    source_ids: tuple[UUID, ...]
    source_role: Role
    told_at: datetime
    context_text: str = ""
    speaker: str | None = None
    tags: tuple[str, ...] = ()
    reasoning: str = ""
    confidence: float = 1.0
    memory_time: datetime | None = None
    vector: Vector | None = None


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A memory that has no vector in the current space."""

    id: UUID
    index_text: str
