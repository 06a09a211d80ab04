"""What becomes of a memory that is changed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue

from memcubed.memories.model import FAST_MODE_TAG, MemoryLayer, MemoryStatus, StoredMemory


def index_text(key: str, value: str) -> str:
    """What of a memory is embedded and indexed by words, unless its extractor knew better."""
    return f"{key}\n{value}"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What a memory is to become; what is None stays as it is.

    `index_text` is for kinds that are embedded by something else than key and value. `superseded_by` is the memory
    that takes its place; a memory that is activated again has none. A raw turn that gets another `layer` is
    one no more: extraction does not replace it.
    """

    key: str | None = None
    value: str | None = None
    reasoning: str | None = None
    status: MemoryStatus | None = None
    layer: MemoryLayer | None = None
    details: Mapping[str, JsonValue] | None = None
    weight: float | None = None
    memory_time: datetime | None = None
    tags: tuple[str, ...] | None = None
    index_text: str | None = None
    superseded_by: UUID | None = None

    def apply(self, memory: StoredMemory) -> StoredMemory:
        """The memory as it will be, but for its time of update and its fingerprint."""
        return replace(
            memory,
            key=memory.key if self.key is None else self.key,
            value=memory.value if self.value is None else self.value,
            reasoning=memory.reasoning if self.reasoning is None else self.reasoning,
            status=memory.status if self.status is None else self.status,
            layer=memory.layer if self.layer is None else self.layer,
            tags=memory.tags if self.layer is None else tuple(tag for tag in memory.tags if tag != FAST_MODE_TAG),
            details=memory.details if self.details is None else self.details,
            weight=memory.weight if self.weight is None else self.weight,
            memory_time=memory.memory_time if self.memory_time is None else self.memory_time,
        )

    def text_to_embed(self, memory: StoredMemory) -> str | None:
        """What the memory's new vector is made from; None when it keeps the one that it has."""
        if self.index_text is not None:
            return self.index_text
        after = self.apply(memory)
        if (after.key, after.value) == (memory.key, memory.value):
            return None
        return index_text(after.key, after.value)
