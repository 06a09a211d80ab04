"""Memory ids as clients write them."""

from typing import Final
from uuid import UUID

ID_SHOWN: Final = 100
"""How much of an id, which may be any text, an error repeats."""


def find_id(text: str) -> UUID | None:
    """The id, when it is written as answers write it; None for anything else."""
    try:
        id_ = UUID(text)
    except ValueError:
        return None
    return id_ if str(id_) == text.lower() else None
