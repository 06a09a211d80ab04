"""Markdown: sections under its headings; everything else stays as it is written, which models read well."""

import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

from memcubed.documents.formats.decoding import decoded
from memcubed.documents.formats.limits import ReadingLimits
from memcubed.documents.model import Block

_HEADING: Final = re.compile(r" {0,3}(#{1,6})(?=[ \t]|$)")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-+)[ \t]*")
_NO_PARAGRAPH: Final = re.compile(r"\s*$|\s*(?:[-*+>|]|\d{1,9}[.)]\s)")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_FRONT_MATTER: Final = "---"


def read(file: BinaryIO, limits: ReadingLimits) -> Iterator[Block]:
    """Headings of both styles, and a block a line between them; code and front matter have no headings."""
    del limits  # characters are counted by the caller
    lines = decoded(file.read()).splitlines()
    begin = _end_of_front_matter(lines)
    if begin:
        yield from (Block(line) for line in lines[1 : begin - 1])
    before: str | None = None
    fence: str | None = None
    for line in lines[begin:]:
        mark = _FENCE.match(line)
        if mark and (fence is None or mark.group(1).startswith(fence)):
            fence = mark.group(1) if fence is None else None
        elif fence is None:
            underline = _UNDERLINE.fullmatch(line)
            if underline and before is not None and not _NO_PARAGRAPH.match(before):
                yield Block(before, level=1 if "=" in line else 2)
                before = None
                continue
            heading = _HEADING.match(line)
            if heading:
                if before is not None:
                    yield Block(before)
                before = None
                yield Block(_title(line[heading.end() :]), level=len(heading.group(1)))
                continue
        if before is not None:
            yield Block(before)
        before = line
    if before is not None:
        yield Block(before)


def _end_of_front_matter(lines: Sequence[str]) -> int:
    if not lines or lines[0].rstrip() != _FRONT_MATTER:
        return 0
    return next((index + 1 for index, line in enumerate(lines) if index and line.rstrip() == _FRONT_MATTER), 0)


def _title(text: str) -> str:
    """Without the marks that may close a heading."""
    text = text.strip()
    bare = text.rstrip("#")
    return bare.strip() if not bare or bare[-1].isspace() else text
