"""What a memory is, inside the service."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
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
    EVENT = "event"
    TOOL_SCHEMA = "tool_schema"
    TOOL_TRAJECTORY = "tool_trajectory"
    SKILL = "skill"
    PROFILE = "profile"

    @property
    def is_preference(self) -> bool:
        """Whether it is answered under `preference_detail_list`."""
        return self in {MemoryKind.EXPLICIT_PREFERENCE, MemoryKind.IMPLICIT_PREFERENCE}

    @property
    def is_tool_memory(self) -> bool:
        """Whether it is answered under `tool_memory_detail_list`."""
        return self in {MemoryKind.TOOL_SCHEMA, MemoryKind.TOOL_TRAJECTORY}

    @property
    def view(self) -> "MemoryView":
        """The view that it comes under."""
        return next(view for view in MemoryView if self in view.kinds)


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
        """The kinds of memory that come under this view."""
        match self:
            case MemoryView.DETAIL_FACTUAL:
                return frozenset({MemoryKind.FACT})
            case MemoryView.PREFERENCE:
                return frozenset({MemoryKind.EXPLICIT_PREFERENCE, MemoryKind.IMPLICIT_PREFERENCE})
            case MemoryView.EVENT:
                return frozenset({MemoryKind.EVENT})
            case MemoryView.TOOL_MEMORY:
                return frozenset({MemoryKind.TOOL_SCHEMA, MemoryKind.TOOL_TRAJECTORY})
            case MemoryView.SKILL:
                return frozenset({MemoryKind.SKILL})
            case MemoryView.PROFILE:
                return frozenset({MemoryKind.PROFILE})


class SourceRole(StrEnum):
    """Who a memory comes from, the most trusted first; a memory made from several has the least trusted of them."""

    USER = "user"
    FEEDBACK = "feedback"
    SYSTEM = "system"
    ASSISTANT = "assistant"
    DOCUMENT = "document"
    TOOL = "tool"


_BY_TRUST: Final = tuple(SourceRole)


def least_trusted(roles: Iterable[Role | SourceRole]) -> SourceRole:
    """What a memory made from messages of these roles comes from; a user when there are none."""
    return max((SourceRole(role.value) for role in roles), key=_BY_TRUST.index, default=SourceRole.USER)


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
class Source:
    """A message that a memory was made from."""

    message_id: UUID
    role: Role
    content: str
    chat_time: datetime


@dataclass(frozen=True, slots=True)
class StoredMemory:
    """A memory as it stands in its cube. `details` is what its kind has beyond text."""

    cube_id: UUID
    id: UUID
    kind: MemoryKind
    layer: MemoryLayer
    status: MemoryStatus
    key: str
    value: str
    reasoning: str
    tags: tuple[str, ...]
    info: Mapping[str, JsonValue]
    details: Mapping[str, JsonValue]
    weight: float
    confidence: float
    conversation_id: str
    source_role: SourceRole
    speaker: str | None
    told_at: datetime
    fingerprint: str
    memory_time: datetime | None
    created_at: datetime
    updated_at: datetime
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class MemoryVersion:
    """What a memory said from a moment on, and why it was changed; the first one is 1."""

    version: int
    key: str
    value: str
    reasoning: str
    reason: str
    superseded_by: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a memory inherits from the request that its messages came with.

    `task_id` is None for what was made without a task, such as from files.
    """

    task_id: UUID | None
    conversation_id: str
    app_id: str | None = None
    agent_id: str | None = None
    info: Mapping[str, JsonValue] = field(default_factory=dict)
    related_ids: tuple[str, ...] = ()
    """Every user and agent that took part in the conversation."""


@dataclass(frozen=True, slots=True)
class NewMemory:
    """A memory about to be stored. `vector` is None when it could not be embedded yet."""

    kind: MemoryKind
    layer: MemoryLayer
    key: str
    value: str
    index_text: str
    source_ids: tuple[UUID, ...]
    source_role: SourceRole
    told_at: datetime
    context_text: str = ""
    details: Mapping[str, JsonValue] = field(default_factory=dict)
    """What the memory's kind has beyond text: `memories.schemas` has a shape for each kind."""
    identity: str | None = None
    """What it is about, when that is not its whole value."""
    weight: float = 1.0
    """More than 1 for what corrects others: recall prefers it."""
    speaker: str | None = None
    tags: tuple[str, ...] = ()
    reasoning: str = ""
    confidence: float = 1.0
    memory_time: datetime | None = None
    vector: Vector | None = None
    id: UUID | None = None
    """For memories that can be told from what they are about; a new one is made when None."""


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A memory that has no vector in the current space."""

    id: UUID
    index_text: str
