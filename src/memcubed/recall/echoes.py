"""One conversation, remembered in several of the searched cubes, is told once."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from memcubed.memories.model import MemoryView
from memcubed.recall.model import Candidate, Found


def without_echoes(found: Found, cubes: Sequence[UUID]) -> Found:
    """The candidates without those whose messages all stand behind candidates of a cube that comes earlier in `cubes`.

    A user's message in their own memory is "the user's", and somebody's with a name in the public one: the texts
    differ, the messages are the same.
    """
    told: dict[MemoryView, set[UUID]] = {}
    kept: set[UUID] = set()
    for cube_id in cubes:
        of_cube = [one for one in found.candidates if one.cube_id == cube_id]
        new = [one for one in of_cube if not one.sources or not _messages(one) <= told.get(one.kind.view, set())]
        kept.update(one.id for one in new)
        for one in new:
            told.setdefault(one.kind.view, set()).update(_messages(one))
    return replace(found, candidates=tuple(one for one in found.candidates if one.id in kept))


def _messages(candidate: Candidate) -> set[UUID]:
    return {source.message_id for source in candidate.sources}
