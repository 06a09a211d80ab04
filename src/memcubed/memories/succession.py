"""Memories that give way to one that corrects them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from memcubed.memories.fingerprint import fingerprint
from memcubed.memories.model import MemoryKind, MemoryStatus, NewMemory, Provenance, StoredMemory
from memcubed.memories.repository import MemoryRepository
from memcubed.memories.rewriting import Rewrite
from memcubed.providers.embeddings import Vector


@dataclass(frozen=True, slots=True)
class Outdated:
    """A memory that says what does not hold. `remainder` is what else it says, and `vector` the one of that.

    Without a remainder the memory is archived; else it goes on with the remainder alone. `index_text` is by what the
    indexes found it, where that is known.
    """

    memory: StoredMemory
    remainder: str | None = None
    vector: Vector | None = None
    index_text: str = ""

    def change(self, successor: UUID) -> Rewrite:
        """What becomes of it."""
        if self.remainder is None:
            return Rewrite(status=MemoryStatus.ARCHIVED, superseded_by=successor)
        return Rewrite(value=self.remainder)


@dataclass(frozen=True, slots=True)
class Cause:
    """What memories give way by: the extractor and reason that their histories show, when, and the vectors' space."""

    extractor: str
    reason: str
    space: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Succession:
    """What was added, by kind, and how many memories were archived in favour of it, or lost a part."""

    added: Counter[MemoryKind]
    archived: int
    shortened: int

    def __add__(self, other: "Succession") -> "Succession":
        """Both together."""
        return Succession(self.added + other.added, self.archived + other.archived, self.shortened + other.shortened)

    @property
    def note(self) -> str | None:
        """What a receipt says of it."""
        parts = [f"{self.archived} superseded"] * bool(self.archived)
        parts += [f"{self.shortened} shortened by what no longer holds"] * bool(self.shortened)
        return f"Memories corrected: {', '.join(parts)}." if parts else None


async def succeed(
    repository: MemoryRepository,
    new: NewMemory,
    held: StoredMemory | None,
    outdated: Sequence[Outdated],
    provenance: Provenance,
    cause: Cause,
) -> Succession:
    """Store a memory, or take `held`, which says the same, and let the outdated ones give way to it."""
    added: Counter[MemoryKind] = Counter()
    if held is None:
        vector_space = None if new.vector is None else cause.space
        (successor,) = await repository.add(
            [new], provenance, space=vector_space, extractor=cause.extractor, now=cause.now
        )
        added[new.kind] += 1
    else:
        successor = held.id
        await repository.add_sources([(held.id, source) for source in new.source_ids])
        if held.weight < new.weight:
            heavier = Rewrite(weight=new.weight)
            await repository.rewrite(held, heavier, reason=cause.reason, vector=None, space="", now=cause.now)
    counts: Counter[bool] = Counter()
    for one in sorted(outdated, key=lambda one: one.memory.id):
        if one.memory.id != successor:
            done = await repository.rewrite(
                one.memory,
                one.change(successor),
                reason=cause.reason,
                vector=one.vector,
                space="" if one.vector is None else cause.space,
                now=cause.now,
            )
            counts[one.remainder is None] += done
    return Succession(added, archived=counts[True], shortened=counts[False])


def mark_of(new: NewMemory) -> str:
    """What tells whether a cube holds a memory already."""
    return fingerprint(new.kind, new.identity or new.value)
