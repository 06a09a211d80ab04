"""What a user says in passing of memories that no longer hold: they give way to what was just said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from memcubed.feedback.contradiction import find_contradiction
from memcubed.feedback.correction import Correction, find_change
from memcubed.memories.model import MemoryLayer, NewMemory, StoredMemory
from memcubed.memories.rewriting import index_text
from memcubed.memories.service import MemoryService
from memcubed.memories.succession import Outdated
from memcubed.messages.model import Role, Turn
from memcubed.production.shares import Share
from memcubed.store.session import Database

_CARRYING: Final = 200
_MOST: Final = 3


@dataclass(frozen=True, slots=True)
class Change:
    """A memory about to be stored, and those that it makes outdated."""

    new: NewMemory
    outdated: tuple[Outdated, ...]

    @property
    def remainders(self) -> list[str]:
        """The texts of memories that go on with a part of what they said."""
        return [index_text(one.memory.key, one.remainder) for one in self.outdated if one.remainder is not None]


class ChangeFinder:
    """Finds what a share's messages make outdated. Only what a user announces as a change or a correction counts."""

    def __init__(self, database: Database, memories: MemoryService) -> None:
        self._database = database
        self._memories = memories

    async def find(self, share: Share, new: Sequence[NewMemory]) -> list[Change]:
        """The changes among what was extracted; most conversations have none, and cost no query."""
        changes: list[Change] = []
        taken: set[UUID] = set()
        for turn in share.turns:
            correction = find_change(turn.content) if turn.role is Role.USER else None
            memory = next((one for one in new if turn.message_id in one.source_ids), None)
            if correction is None or memory is None:
                continue
            outdated = [one for one in await self._outdated(share, turn, correction) if one.memory.id not in taken]
            if outdated:
                taken.update(one.memory.id for one in outdated)
                changes.append(Change(memory, tuple(outdated[:_MOST])))
        return changes

    async def _outdated(self, share: Share, turn: Turn, correction: Correction) -> list[Outdated]:
        async with self._database.transaction(share.project_id) as connection:
            carrying = await self._memories.list_carrying(
                connection, share.project_id, share.cube_id, correction.probe, _CARRYING
            )
        found = []
        for memory, _ in carrying:
            if _may_give_way(memory, turn):
                contradiction = find_contradiction(correction, memory.key, memory.value)
                if contradiction is not None and contradiction.is_sure:
                    found.append(Outdated(memory, contradiction.remainder))
        return found


def _may_give_way(memory: StoredMemory, turn: Turn) -> bool:
    """Whether a settled memory of the same speaker was told before the turn."""
    is_settled = memory.layer is not MemoryLayer.WORKING
    return is_settled and memory.speaker == turn.speaker and memory.told_at <= turn.chat_time
