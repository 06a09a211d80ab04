"""What an owner may change of a memory, by its kind."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from memcubed.errors import InvalidRequestError
from memcubed.language.dates import find_moment
from memcubed.memories.model import MemoryKind, MemoryLayer, MemoryStatus, StoredMemory
from memcubed.memories.rewriting import Rewrite

_ELSEWHERE: Final = {
    MemoryKind.SKILL: "A skill's text can't be changed here: leave content and title out, or upload the skill anew.",
    MemoryKind.PROFILE: "A profile's fields can't be changed here: leave content and title out, and use edit/profile.",
}


def edit(
    memory: StoredMemory,
    *,
    content: str | None,
    title: str | None,
    status: MemoryStatus | None,
    now: datetime,
) -> Rewrite:
    """What comes of an owner's change; `now`, aware, is when they made it, in the project's zone.

    A time that the new content names is what it is about; content that names none is about the same time as before.
    A raw turn that is changed becomes a memory of its own, which extraction does not replace. Raises
    InvalidRequestError for kinds whose text is kept elsewhere.
    """
    if (content is not None or title is not None) and memory.kind in _ELSEWHERE:
        raise InvalidRequestError(_ELSEWHERE[memory.kind])
    change = Rewrite(key=title, value=content, status=status)
    if memory.layer is MemoryLayer.WORKING:
        change = replace(change, layer=MemoryLayer.LONG_TERM)
    return change if content is None else replace(change, memory_time=find_moment(content, now))


def reason_of(memory: StoredMemory, change: Rewrite) -> str:
    """Why a memory has a new version, in its history: `updated`, `archived` or `activated`."""
    after = change.apply(memory)
    if (after.key, after.value) != (memory.key, memory.value) or after.status is memory.status:
        return "updated"
    return after.status.value
