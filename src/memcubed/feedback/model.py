"""What is read in feedback."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from memcubed.feedback.replacement import Replacement
from memcubed.memories.model import StoredMemory
from memcubed.messages.model import Turn
from memcubed.production.model import Draft

WEIGHT: Final = 2.0
"""Of memories that feedback makes: recall prefers them to what they correct."""


@dataclass(frozen=True, slots=True)
class FeedbackRequest:
    """Feedback, the turns before it, and the memories that it may be about."""

    turn: Turn
    context: Sequence[Turn]
    known: Sequence[StoredMemory]
    timezone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Denied:
    """A memory that does not hold. `remainder` is what it says beyond that, or None."""

    memory_id: UUID
    remainder: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What feedback comes to: a replacement, or memories to store and others that they deny, or the reason for nothing.

    `denied` give way to the first of `drafts`. `forgotten` is None unless the feedback asks to forget.
    """

    drafts: tuple[Draft, ...] = ()
    denied: tuple[Denied, ...] = ()
    replacement: Replacement | None = None
    forgotten: tuple[UUID, ...] | None = None
    nothing_reason: str | None = None


class FeedbackReader(Protocol):
    """Understands feedback. Raises ProviderError when the model behind it fails."""

    @property
    def name(self) -> str:
        """What is kept with the memories as their extractor."""
        ...

    async def read(self, request: FeedbackRequest) -> Reading:
        """Read one feedback."""
        ...
