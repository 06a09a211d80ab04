"""The kinds of memory that a deletion can be limited to, by the names that requests and answers have for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from memcubed.errors import InvalidRequestError, UnsupportedTypeError
from memcubed.memories.model import MemoryKind, MemoryLayer, MemoryView


@dataclass(frozen=True, slots=True)
class MemoryType:
    """Memories of these kinds; with a `layer` only those of it."""

    kinds: frozenset[MemoryKind]
    layer: MemoryLayer | None = None


MEMORY_TYPES: Final[Mapping[str, MemoryType]] = {
    **{view.value: MemoryType(view.kinds) for view in MemoryView},
    **{layer.value: MemoryType(frozenset({MemoryKind.FACT}), layer) for layer in MemoryLayer},
    "PreferenceMemory": MemoryType(MemoryView.PREFERENCE.kinds),
    MemoryKind.EXPLICIT_PREFERENCE.value: MemoryType(frozenset({MemoryKind.EXPLICIT_PREFERENCE})),
    MemoryKind.IMPLICIT_PREFERENCE.value: MemoryType(frozenset({MemoryKind.IMPLICIT_PREFERENCE})),
    "ToolSchemaMemory": MemoryType(frozenset({MemoryKind.TOOL_SCHEMA})),
    "ToolTrajectoryMemory": MemoryType(frozenset({MemoryKind.TOOL_TRAJECTORY})),
    "SkillMemory": MemoryType(MemoryView.SKILL.kinds),
    "EventMemory": MemoryType(MemoryView.EVENT.kinds),
    "ProfileMemory": MemoryType(MemoryView.PROFILE.kinds),
}


def check_type(value: object) -> object:
    """A name of a memory type; the error says which there are."""
    if not isinstance(value, str):
        raise InvalidRequestError("memory_type must be a string.")
    if value not in MEMORY_TYPES:
        raise UnsupportedTypeError(f"memory_type must be one of {', '.join(MEMORY_TYPES)}.")
    return value
