"""What a user says in passing of memories that no longer hold: they give way to what was just said."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from memcubed.feedback.contradiction import find_contradiction, terms
from memcubed.feedback.correction import Correction, find_change
from memcubed.language.detect import has_han
from memcubed.language.sentences import clip
from memcubed.memories.model import MemoryKind, MemoryLayer, NewMemory, StoredMemory
from memcubed.memories.rewriting import index_text
from memcubed.memories.service import MemoryService
from memcubed.memories.succession import Outdated
from memcubed.messages.model import Role, Turn
from memcubed.production.model import STATED_KINDS
from memcubed.production.own_part import own_part
from memcubed.production.shares import Share
from memcubed.providers.embeddings import Vector
from memcubed.store.session import Database

_CARRYING: Final = 200
_MOST: Final = 3
_MOST_WORDS: Final = 300
_MOST_QUOTED: Final = (120, 300)  # characters of Chinese, of English
_LEAST_MORE: Final = 2


@dataclass(frozen=True, slots=True)
class Change:
    """A memory about to be stored, and those that it makes outdated. `extracted` is the memory without them."""

    extracted: NewMemory
    new: NewMemory
    outdated: tuple[Outdated, ...]

    @property
    def texts(self) -> list[str]:
        """What is to be embedded: the memory, and the remainders of those that go on with a part of what they said."""
        remainders = [index_text(one.memory.key, one.remainder) for one in self.outdated if one.remainder is not None]
        return [self.new.index_text, *remainders]

    def embedded(self, vectors: Iterator[Vector | None]) -> "Change":
        """The change with a vector for each of its texts; one that could not be made leaves the extracted memory's."""
        vector = next(vectors)
        new = self.new if vector is None else replace(self.new, vector=vector)
        outdated = (one if one.remainder is None else replace(one, vector=next(vectors)) for one in self.outdated)
        return replace(self, new=new, outdated=tuple(outdated))


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
            correction = find_change(own_part(turn.content)) if turn.role is Role.USER else None
            memory = next((one for one in new if turn.message_id in one.source_ids), None)
            if correction is None or memory is None:
                continue
            found = [one for one in await self._outdated(share, turn, correction) if one.memory.id not in taken][:_MOST]
            if found:
                taken.update(one.memory.id for one in found)
                changes.append(Change(memory, _successor(memory, found, ended=correction.ends), tuple(found)))
        return changes

    async def _outdated(self, share: Share, turn: Turn, correction: Correction) -> list[Outdated]:
        async with self._database.transaction(share.project_id) as connection:
            carrying = await self._memories.list_carrying(
                connection, share.project_id, share.cube_id, correction.probe, _CARRYING
            )
        found = []
        for memory, text in carrying:
            if _may_give_way(memory, turn):
                contradiction = find_contradiction(correction, memory.key, memory.value)
                if contradiction is not None and contradiction.is_sure:
                    found.append(Outdated(memory, contradiction.remainder, index_text=text))
        return found


def _may_give_way(memory: StoredMemory, turn: Turn) -> bool:
    """Whether a settled memory of the same speaker was told before the turn."""
    is_settled = memory.layer is not MemoryLayer.WORKING
    is_stated = memory.kind in STATED_KINDS or memory.kind is MemoryKind.EVENT
    return is_settled and is_stated and memory.speaker == turn.speaker and memory.told_at <= turn.chat_time


def _successor(memory: NewMemory, outdated: Sequence[Outdated], *, ended: bool) -> NewMemory:
    """The memory as it is found by what found the outdated ones, and with what else they said.

    "We moved from Elm Street to Oak Street" answers where one lives, and says nothing of living; nor does "my flight
    is now on the 5th" say where it goes. Of what came to an end only that is kept.
    """
    chinese = has_han(memory.value)
    words = [clip(one.index_text, _MOST_WORDS) for one in outdated]
    known = set(terms(memory.index_text))
    telling = [
        clip(one.memory.value, _MOST_QUOTED[0 if chinese else 1])
        for one in outdated
        if not ended and one.remainder is None and len(set(terms(one.index_text)) - known) >= _LEAST_MORE
    ]
    found_by = replace(memory, index_text="\n".join((memory.index_text, *words)))
    if not telling:
        return found_by
    before = f"（此前：{'；'.join(telling)}）" if chinese else f" (before that: {'; '.join(telling)})"
    return replace(found_by, value=memory.value + before, identity=memory.identity or memory.value)
