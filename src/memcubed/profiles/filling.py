"""Filling the open fields of profiles from what was said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from memcubed.messages.model import Role, Turn
from memcubed.production.own_part import own_part
from memcubed.profiles.model import FieldPath


@dataclass(frozen=True, slots=True)
class OpenField:
    """A field that may be filled: not locked. `value` is what it says now, or empty."""

    template_id: UUID
    path: FieldPath
    value: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Filling:
    """A value for a field, with the messages that say it."""

    template_id: UUID
    path: FieldPath
    value: str
    source_ids: tuple[UUID, ...]
    confidence: float


class ProfileFiller(Protocol):
    """Finds values for fields. Raises ProviderError when the model behind it fails."""

    @property
    def name(self) -> str:
        """What is kept with the memories as their extractor."""
        ...

    async def fill(self, fields: Sequence[OpenField], turns: Sequence[Turn]) -> list[Filling]:
        """Values for those of the fields that the person speaking in these turns tells; changed ones too."""
        ...


def own_turns(turns: Sequence[Turn], owner: str) -> list[Turn]:
    """What the owner of a profile said: a user's turns, in a conversation of several only those under their name.

    What was pasted into them and gives orders is left out.
    """
    own = [
        replace(turn, content=own_part(turn.content))
        for turn in turns
        if turn.role is Role.USER and _is_by(turn, owner)
    ]
    return [turn for turn in own if turn.content]


def _is_by(turn: Turn, owner: str) -> bool:
    if turn.role_id is not None:
        return turn.role_id == owner
    return turn.speaker is None or turn.speaker.casefold() == owner.casefold()
