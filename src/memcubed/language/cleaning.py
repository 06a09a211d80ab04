"""Text that every later step can take: no NUL, no surrogates, bounded, in one width."""

import re
import unicodedata
from typing import Final

MAX_TEXT: Final = 100_000

_UNSAFE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """Return the text, cut to `MAX_TEXT` characters, with control characters and lone surrogates as spaces.

    Offsets into the result are offsets into the text.
    """
    return _UNSAFE.sub(" ", text[:MAX_TEXT])


def normalised(text: str) -> str:
    """Return `printable` text with full-width forms and compatibility characters folded (NFKC)."""
    return printable(unicodedata.normalize("NFKC", printable(text)))
