"""How many tokens a text is, near enough for limits and windows without a model's own tokeniser."""

import re
from typing import Final

_WIDE: Final = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
_LATIN_CHARACTERS_PER_TOKEN: Final = 4


def estimate_tokens(text: str) -> int:
    """One a Chinese, Japanese or Korean character, one every four other characters, rounded up."""
    wide = len(_WIDE.findall(text))
    return wide + -(-(len(text) - wide) // _LATIN_CHARACTERS_PER_TOKEN)
