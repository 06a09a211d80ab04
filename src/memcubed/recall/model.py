"""What recall looks for and finds, inside the service."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from memcubed.memories.model import StoredMemory


class Arm(StrEnum):
    """A way of finding that recall has; a request can restrict it to some, to see what each does."""

    VECTORS = "vectors"
    WORDS = "words"
    CONVERSATION = "conversation"
    TIME = "time"
    NAMES = "names"


@dataclass(frozen=True, slots=True)
class Candidate(StoredMemory):
    """A memory that may matter, with what each arm says of it.

    `cosine` is None when the memory has no vector yet. `lexical` is its BM25 as a share of the most that the query
    allows, 0 when they have no word in common. `around` is what its neighbours in the conversation add, and
    `place` its number among the memories of its conversation.
    """

    place: int
    cosine: float | None
    lexical: float
    around: float


@dataclass(frozen=True, slots=True)
class Found:
    """The candidates, and what is known of all memories in scope: how many, who speaks, from when to when."""

    candidates: tuple[Candidate, ...]
    size: int = 0
    speakers: frozenset[str] = frozenset()
    oldest: datetime | None = None
    newest: datetime | None = None

    @classmethod
    def joined(cls, parts: Sequence["Found"]) -> "Found":
        """What several searches found, as if it had been one."""
        return cls(
            tuple(candidate for part in parts for candidate in part.candidates),
            sum(part.size for part in parts),
            frozenset(speaker for part in parts for speaker in part.speakers),
            min((part.oldest for part in parts if part.oldest is not None), default=None),
            max((part.newest for part in parts if part.newest is not None), default=None),
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """How scores in one vector space become relativity, from 0 to 1.

    `middle` is the score whose relativity is the default threshold, `noise` the standard deviation of the cosines of
    unrelated texts. `gain` and `shift` bring another model's cosines to the scale that the ranking's weights were found
    on. `memcubed calibrate` fits all four.
    """

    middle: float
    noise: float
    gain: float = 1.0
    shift: float = 0.0
