"""Small numbers in words."""

import re
from typing import Final

_DIGITS: Final = dict(zip("零一二三四五六七八九", range(10), strict=True)) | {"两": 2, "〇": 0}
_CHINESE: Final = re.compile(
    r"(?:(?P<hundreds>[一二两三四五六七八九])百零?)?(?:(?P<tens>[一二三四五六七八九]?)(?P<ten>十))?(?P<ones>[一二两三四五六七八九])?"
)
_ENGLISH: Final = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
_MAX_DIGITS: Final = 4

ENGLISH_NUMBER: Final = r"(?:\d{1,4}|an?|" + "|".join(_ENGLISH[1:]) + ")"
CHINESE_NUMBER: Final = r"(?:\d{1,4}|[一二两三四五六七八九十百]{1,5})"


def chinese(text: str) -> int:
    """Read '12', '十二', '两' or '二十'; raises ValueError for anything else (such as 两三)."""
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS:
        return int(text)
    match = _CHINESE.fullmatch(text)
    if not match or not text:
        raise ValueError("not a number in Chinese")
    hundreds = _DIGITS[match["hundreds"]] if match["hundreds"] else 0
    tens = 0
    if match["ten"]:
        tens = _DIGITS[match["tens"]] if match["tens"] else 1
    ones = _DIGITS[match["ones"]] if match["ones"] else 0
    return hundreds * 100 + tens * 10 + ones


def english(text: str) -> int:
    """Read '12', 'twelve' or 'a'; raises ValueError for anything else."""
    text = text.lower()
    if text in {"a", "an"}:
        return 1
    if text in _ENGLISH:
        return _ENGLISH.index(text)
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS:
        return int(text)
    raise ValueError("not a number in English")
