"""What stands just below the cut, next to something above it, comes along with it instead of being lost.

A limit of 25 single turns holds under a thousand tokens. The best turns stay as they are; further down, hits that
were said within a few turns of a returned one are appended to it, in the order of the conversation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from memcubed.recall.calibration import Ranked
from memcubed.recall.model import Candidate

_UNFOLDED: Final = 15
"""So many of the best are returned alone."""

_GAP: Final = 6
_MOST: Final = 8
_DEPTH: Final = 100


@dataclass(frozen=True, slots=True)
class Folded:
    """A result with what was folded into it; `members` are in the order of the conversation."""

    best: Ranked
    members: tuple[Candidate, ...]

    @property
    def value(self) -> str:
        """The members' values as one passage, in which a day is dated once."""
        lines: list[str] = []
        dated = ""
        for member in self.members:
            date = f" ({member.told_at.date().isoformat()})"
            lines.append(member.value.replace(date, "", 1) if date == dated else member.value)
            dated = date
        return "\n".join(lines)


def fold(ranked: Sequence[Ranked], limit: int) -> list[Folded]:
    """The `limit` best, those after the 15th with the hits around them that the limit would cut off."""
    places = _places(ranked)
    groups = [[one] for one in ranked[:limit]]
    group_at = {places[one.scored.candidate.id]: index for index, one in enumerate(ranked[:limit])}
    for one in ranked[limit:_DEPTH]:
        conversation, position = places[one.scored.candidate.id]
        for gap in range(1, _GAP + 1):
            near = (group_at.get((conversation, position + gap)), group_at.get((conversation, position - gap)))
            rooms = [index for index in near if index is not None and index >= _UNFOLDED and len(groups[index]) < _MOST]
            if rooms:
                # The one further down: what comes along is never to push better results back.
                groups[max(rooms)].append(one)
                group_at[conversation, position] = max(rooms)
                break
    return [_folded(group) for group in groups]


def _places(ranked: Sequence[Ranked]) -> Mapping[object, tuple[str, int]]:
    """Each candidate's conversation, and its place in it."""
    return {
        one.scored.candidate.id: (one.scored.candidate.conversation_id, one.scored.candidate.place) for one in ranked
    }


def _folded(group: Sequence[Ranked]) -> Folded:
    members = sorted((one.scored.candidate for one in group), key=lambda candidate: candidate.place)
    return Folded(group[0], tuple(members))
