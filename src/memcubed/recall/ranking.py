"""From the arms' scores to one order.

Scores are absolute: a centred cosine is about 0 for unrelated texts in a cube of any size, and the words' score is a
share of the most that the query allows. So their sum means the same everywhere and can be calibrated.
docs/adr/0003-recall.md has how the constants were found, and the plateau around each.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from memcubed.messages.model import Role
from memcubed.recall.model import Arm, Calibration, Candidate, Found
from memcubed.recall.question import Era, Question

LEXICAL_SHRINK: Final = 10.0
"""Added to the most that BM25 could reach, so that one shared word of a two-word query is not a full match."""

NEIGHBOUR_FLOOR: Final = 0.1
"""What a neighbour has above this lifts a memory; unrelated neighbours add nothing."""

_ASSISTANT_MALUS: Final = 0.2
_PREFERENCE_BONUS: Final = 0.05
_WEIGHT_BONUS: Final = 0.15  # of what a memory itself has in common with the query, for twice the weight


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each arm counts, in units of cosine."""

    vectors: float = 1.0
    vector_shift: float = 0.0
    """The mean cosine of unrelated texts, which is taken off first."""
    words: float = 1.0
    next_turn: float = 0.2
    """Share of what the turns before and after have above the floor."""
    second_turn: float = 0.1
    """The same of the turns two places away."""
    conversation: float = 0.05
    """For memories of the conversation at hand."""
    speaker: float = 0.15
    """For what is said by the one speaker that the query names."""
    date: float = 0.15
    """For what was told around a time that the query names."""
    recency: float = 0.1
    """Between the oldest and the newest memory, when the query asks for now or for before."""

    def calibrated(self, calibration: Calibration) -> "Weights":
        """The weights for cosines of the space that the calibration is for."""
        return replace(self, vectors=self.vectors * calibration.gain, vector_shift=calibration.shift)

    @classmethod
    def of(cls, arms: Sequence[Arm] | None) -> "Weights":
        """The weights with every arm but these left out; None: all arms."""
        if arms is None:
            return cls()
        fields = {
            Arm.VECTORS: ("vectors",),
            Arm.WORDS: ("words",),
            Arm.CONVERSATION: ("next_turn", "second_turn", "conversation"),
            Arm.NAMES: ("speaker",),
            Arm.TIME: ("date", "recency"),
        }
        return cls(**{name: 0.0 for arm, names in fields.items() if arm not in arms for name in names})


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with the score that orders it, and what each arm gave.

    `own` is what the memory itself has in common with the query: cosine and words.
    """

    candidate: Candidate
    score: float
    own: float
    parts: Mapping[str, float]


def rank(found: Found, question: Question, weights: Weights, *, conversation_id: str | None) -> list[Scored]:
    """Every candidate, the most relevant first; of those that say the same, only the best."""
    speaker = question.only_speaker(found.speakers)
    best: dict[str, Scored] = {}
    for candidate in found.candidates:
        parts = {
            "vectors": 0.0 if candidate.cosine is None else weights.vectors * (candidate.cosine - weights.vector_shift),
            "words": weights.words * candidate.lexical,
            "neighbours": candidate.around,
            "conversation": weights.conversation * (candidate.conversation_id == conversation_id),
            "speaker": weights.speaker * (speaker is not None and candidate.speaker == speaker),
            "date": weights.date * question.date_match(candidate.told_at),
            "recency": weights.recency * _recency(candidate.told_at, question.era, found),
            "preference": _PREFERENCE_BONUS * (question.is_request and candidate.kind.is_preference),
            "assistant": -_ASSISTANT_MALUS * (is_assistants(candidate) and not question.asks_assistant),
        }
        own = parts["vectors"] + parts["words"]
        # In proportion, so that what corrects others comes before them and nowhere else.
        parts["weight"] = _WEIGHT_BONUS * math.log2(candidate.weight) * max(own, 0.0) if candidate.weight > 0 else 0.0
        scored = Scored(candidate, sum(parts.values()), own, parts)
        twin = best.get(candidate.fingerprint)
        if twin is None or _order(scored) < _order(twin):
            best[candidate.fingerprint] = scored
    return sorted(best.values(), key=_order)


def is_assistants(candidate: Candidate) -> bool:
    """Whether it tells only what the assistant said; what a tool gave is more than that."""
    if candidate.kind.is_tool_memory:
        return False
    return bool(candidate.sources) and all(source.role is Role.ASSISTANT for source in candidate.sources)


def _order(scored: Scored) -> tuple[float, float, str]:
    return (-scored.score, -scored.candidate.told_at.timestamp(), str(scored.candidate.id))


def _recency(told_at: datetime, era: Era, found: Found) -> float:
    """0 for the newest memory when now is asked for and the oldest when before is; -1 for the other end."""
    if era is Era.ANY or found.oldest is None or found.newest is None or found.oldest == found.newest:
        return 0.0
    age = (told_at - found.oldest) / (found.newest - found.oldest)
    return age - 1 if era is Era.NOW else -age
