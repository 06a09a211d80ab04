"""When two memories say the same."""

import hashlib
import unicodedata

from memcubed.memories.model import MemoryKind


def fingerprint(kind: MemoryKind, value: str) -> str:
    """Equal for values of one kind that differ at most in case, width, spaces and punctuation."""
    letters = "".join(c for c in unicodedata.normalize("NFKC", value).casefold() if c.isalnum())
    return hashlib.sha256(f"{kind}:{letters or value}".encode("utf-8", "replace")).hexdigest()[:32]
