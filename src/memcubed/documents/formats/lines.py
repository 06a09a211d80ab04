"""Paragraphs from lines that were broken where the page ended."""

import re
from typing import Final

_ENDS: Final = re.compile(r"[。！？!?；;：:….][”’」』）)\"']*$")
_BEGINS: Final = re.compile(
    r"\s*(?:[-*•·●○■]|\(?\d{1,3}[.、)）]|[（(][一二三四五六七八九十\d]+[)）]|第.{1,4}[章节条款])"
)
_HYPHEN: Final = re.compile(r"[a-z]-$")
_WIDE: Final = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f]")
_FULL: Final = 0.75
"""A line that is shorter than this share of the longest ends a paragraph."""


def unwrapped(text: str) -> list[str]:
    """The paragraphs of a page: a line goes on in the next when it is long and ends no sentence."""
    lines = [line.rstrip() for line in text.splitlines()]
    longest = max(map(_width, lines), default=0)
    paragraphs: list[str] = []
    goes_on = False
    for line in lines:
        if not line.strip():
            goes_on = False
            continue
        if goes_on and not _BEGINS.match(line):
            paragraphs[-1] = _joined(paragraphs[-1], line.strip())
        else:
            paragraphs.append(line.strip())
        goes_on = _width(line) >= _FULL * longest and _ENDS.search(line) is None
    return paragraphs


def _width(line: str) -> int:
    return len(line) + len(_WIDE.findall(line))


def _joined(before: str, after: str) -> str:
    if _HYPHEN.search(before) and after[:1].islower():
        return before[:-1] + after
    glue = "" if _WIDE.match(before[-1]) and _WIDE.match(after[0]) else " "
    return before + glue + after
