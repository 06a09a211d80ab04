"""Text as the models can take it: no NUL bytes, no lone surrogates, no runs of white space, not too long."""

import re
from enum import StrEnum

_UNSAFE = re.compile("[\x00\ud800-\udfff]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# A tokenizer needs about one token for four narrow letters, two for three wide characters (Han, kana, hangul, emoji),
# and up to one for each digit or sign.
_FIRST_WIDE = "\u2e80"
_HIGHEST_COST = 2

# Han characters say more each than letters do, so a fifth of the letters makes a text Chinese.
_HAN_SHARE = 0.2


class MeanLanguage(StrEnum):
    """The languages whose mean vectors are known; texts in any other are taken for English."""

    EN = "en"
    ZH = "zh"


def replace_unsafe(text: str) -> str:
    """Return the text with a space for every NUL byte and lone surrogate; its length stays the same."""
    return _UNSAFE.sub(" ", text)


def cost(text: str, limit: int) -> int:
    """Return an estimate of the work a text takes, at most `limit`: a letter counts one, other characters two."""
    return min(limit, sum(map(_cost, text[:limit])))


def make_safe(text: str, limit: int) -> str:
    """Return the beginning of the text, cleaned, of at most `limit` cost."""
    # A slice first: white space is all that cleaning removes, and no text needs a megabyte of it read.
    cleaned = " ".join(replace_unsafe(text[: 8 * limit]).split())
    if _HIGHEST_COST * len(cleaned) <= limit:
        return cleaned
    spent = 0
    for position, character in enumerate(cleaned):
        spent += _cost(character)
        if spent > limit:
            return cleaned[:position].rstrip()
    return cleaned


def _cost(character: str) -> int:
    narrow = character < _FIRST_WIDE and (character.isalpha() or character == " ")
    return 1 if narrow else _HIGHEST_COST


def mean_language(text: str) -> MeanLanguage:
    """Return whose mean is subtracted from the vector of this text."""
    letters = sum(map(str.isalpha, text))
    han = len(_HAN.findall(text))
    return MeanLanguage.ZH if letters and han >= _HAN_SHARE * letters else MeanLanguage.EN
