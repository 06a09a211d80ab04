"""What an extractor is given and what it gives back."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from memcubed.memories.model import KnownMemory, MemoryKind
from memcubed.messages.model import Role, Turn
from memcubed.usage.model import Usage

_UTC: Final = ZoneInfo("UTC")

STATED_KINDS: Final = frozenset({MemoryKind.FACT, MemoryKind.EXPLICIT_PREFERENCE, MemoryKind.IMPLICIT_PREFERENCE})
"""What extractors read out of what was said; memories of other kinds come about otherwise."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose memories are made, where that can be told from the names of those who speak.

    `id` is the user's or the agent's; empty for memories that are nobody's own, such as a project's public ones.
    """

    id: str
    is_agent: bool = False

    def speaks(self, turn: Turn) -> bool:
        """Whether a turn is the owner's own: by its `role_id`, or by its `role_name` when it has no `role_id`."""
        if turn.role is not (Role.ASSISTANT if self.is_agent else Role.USER):
            return False
        if turn.role_id is not None:
            return turn.role_id == self.id
        return turn.speaker is not None and turn.speaker.casefold() == self.id.casefold()

    def hears(self, turn: Turn) -> bool:
        """Whether a turn is that of another person."""
        return turn.role is Role.USER and turn.speaker is not None and not self.speaks(turn)


@dataclass(frozen=True, slots=True)
class ExtractionRequest:
    """The new turns of one conversation, in order, and what helps to understand them.

    `context` are earlier turns of the conversation, for reading only: nothing is extracted from them.
    `vocabulary` are the developer's tags. `known` are the nearest memories that the cube already holds.
    `timezone` is the project's: relative dates are resolved in it. `kinds` are the kinds asked for.
    """

    turns: tuple[Turn, ...]
    context: tuple[Turn, ...] = ()
    vocabulary: tuple[str, ...] = ()
    known: tuple[KnownMemory, ...] = ()
    timezone: ZoneInfo = _UTC
    kinds: frozenset[MemoryKind] = STATED_KINDS
    tools: tuple[str, ...] = ()
    """Definitions of tools that came with the request, each as JSON text."""
    owner: Owner | None = None
    """None where it is not known which speaker the owner is: then all are called by their names."""

    def is_own(self, turn: Turn) -> bool:
        """Whether the owner is known to speak."""
        return self.owner is not None and self.owner.speaks(turn)

    def is_anothers(self, turn: Turn) -> bool:
        """Whether another person than the owner is known to speak."""
        return self.owner is not None and self.owner.hears(turn)


@dataclass(frozen=True, slots=True)
class Draft:
    """A memory that an extractor proposes; it is not stored yet.

    `key` is a short title, `value` the memory in a sentence or two that a model can use as it stands.
    `source_ids` are ids of messages in the request's `turns`, at least one. `reasoning` says why a preference
    is believed. `memory_time` is when what it tells happened or will happen, aware UTC.
    `index_text` is what is embedded and indexed by words when that is not key and value; `context_text`, what stood
    around it in the conversation, is indexed by words alone.
    `details` is what the kind has beyond text. `identity` is what the memory is about when that is not its whole value:
    of memories of one kind with the same identity a cube keeps the newest.
    """

    kind: MemoryKind
    key: str
    value: str
    source_ids: tuple[UUID, ...]
    tags: tuple[str, ...] = ()
    reasoning: str = ""
    confidence: float = 1.0
    memory_time: datetime | None = None
    index_text: str | None = None
    context_text: str = ""
    details: Mapping[str, JsonValue] = field(default_factory=dict)
    identity: str | None = None


def characters_by_kind(drafts: Iterable[Draft]) -> Counter[str]:
    """How much of an answer went into memories of each kind."""
    characters: Counter[str] = Counter()
    for draft in drafts:
        characters[draft.kind.value] += len(draft.key) + len(draft.value) + len(draft.reasoning)
    return characters


@dataclass(frozen=True, slots=True)
class Extraction:
    """The outcome. `nothing_reason` says in plain words why `drafts` is empty; it is None otherwise."""

    drafts: tuple[Draft, ...]
    nothing_reason: str | None = None
    usage: Usage = field(default_factory=Usage)


class Extractor(Protocol):
    """Turns messages into drafts. Raises ProviderError when the model behind it fails."""

    @property
    def name(self) -> str:
        """What the start-up log and /health show, such as 'local' or 'llm (qwen3-8b)'."""
        ...

    @property
    def uses_model(self) -> bool:
        """Whether it waits for a model: then raw turns get vectors meanwhile, and it is shown `known` memories."""
        ...

    async def extract(self, request: ExtractionRequest) -> Extraction:
        """Read the request's turns once."""
        ...


@dataclass(frozen=True, slots=True)
class ShareSummary:
    """A task's share in one cube, as the operator sees it. `attempts` counts the tries that failed."""

    task_id: UUID
    cube_kind: str
    owner: str
    status: str
    attempts: int
    reason: str | None
    created_at: datetime
    finished_at: datetime | None
