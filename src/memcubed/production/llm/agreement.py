"""Turns that take up what was said before them."""

import re

_LONGEST = 40
_AGREEMENT = re.compile(
    r"^(?:嗯+|好|行|可以|没问题|对|是的|同意|就这|就它|就按|听你的|没错|成)"
    r"|就(?:选|要|去|用|买|定)|第[一二三四五12345]个|[选要]这"
    r"|^(?:yes|yeah|yep|ok|okay|sure|right|exactly|correct|agreed|deal|perfect|great)\b|sounds good"
    r"|let'?s (?:do|go|take)|i'?ll (?:take|do|go)"
    r"|\bthe (?:first|second|third|fourth|last)\b|\bthat(?:'s| is) (?:right|it)\b",
    re.IGNORECASE,
)


def agrees(text: str) -> bool:
    """Whether a short turn takes up what was said before it (好的，就这个 / sure, the second one)."""
    text = text.strip()
    return len(text) <= _LONGEST and _AGREEMENT.search(text) is not None
