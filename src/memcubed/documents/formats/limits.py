"""How much of a document is read at most."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """More than this is refused, not cut off."""

    pages: int
    characters: int
