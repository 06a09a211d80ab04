"""Which language a text is in."""

import re
from enum import StrEnum
from typing import Final

_HAN: Final = re.compile(r"[㐀-䶿一-鿿豈-﫿\U00020000-\U0003ffff]")
_WORD: Final = re.compile(r"[A-Za-z\u00c0-\u024f]+")
# A Han character carries about as much as a Latin word does, so the two are counted against each other.
_SHARE: Final = 0.45
_SAMPLE: Final = 20_000


class Language(StrEnum):
    """The languages that the rules know."""

    ZH = "zh"
    EN = "en"


def detect(text: str, default: Language = Language.EN) -> Language:
    """Return Chinese when Han characters outweigh Latin words; `default` when there are neither."""
    sample = text[:_SAMPLE]
    han = len(_HAN.findall(sample))
    words = len(_WORD.findall(sample))
    if han + words == 0:
        return default
    return Language.ZH if han / (han + words) > _SHARE else Language.EN


def has_han(text: str) -> bool:
    """Whether any Han character stands in the text."""
    return _HAN.search(text) is not None
