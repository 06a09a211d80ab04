"""Sentences, and cutting text where a sentence, a clause or a list item ends."""

import re
from typing import Final

from memcubed.language.cleaning import printable

_ABBREVIATION: Final = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|vs|etc|e\.g|i\.e|no|jr|sr|inc|ltd|approx|fig|a\.m|p\.m)|\b[A-Za-z]|^\s*\d{1,3})\.$",
    re.IGNORECASE,
)
_END: Final = re.compile(r"[。！？!?；;…]+[”’」』）)\"']*|\.+[”’)\"']*(?=\s|$)|\n+")
_CLAUSE_END: Final = re.compile(r"[，,、：:—]+|\s+[-–]\s+")
_LIST_MARK: Final = re.compile(
    r"^\s*(?:[-*•·]|\d{1,2}[.、)）]|[（(]\d{1,2}[)）]|[①-⑳]|[一二三四五六七八九十]{1,2}[、.]"
    r"|(?:方案|选项|第)[一二三四五六七八九十\d][:：]?|(?:option|plan)\s+[a-c\d][:.)]|[A-Da-d][.)、])\s*",
    re.IGNORECASE,
)


def sentences(text: str) -> list[str]:
    """Split a text into its sentences, each with its closing mark, blanks stripped, empty ones left out."""
    text = printable(text)
    parts: list[str] = []
    begin = 0
    for match in _END.finditer(text):
        head = text[begin : match.end()]
        # A full stop after an abbreviation, an initial or a list number ends nothing.
        if match.group().startswith(".") and _ABBREVIATION.search(head.rstrip("”’)\"'")):
            continue
        parts.append(head)
        begin = match.end()
    parts.append(text[begin:])
    return [stripped for part in parts if (stripped := part.strip())]


def clauses(sentence: str) -> list[str]:
    """Split a sentence at commas and dashes, marks left out."""
    return [stripped for part in _CLAUSE_END.split(sentence) if (stripped := part.strip())]


def list_mark(line: str) -> str | None:
    """Return the mark that makes a line a list item (such as '1. '), or None."""
    match = _LIST_MARK.match(line)
    return match.group() if match else None


def clip(text: str, limit: int) -> str:
    """Return the text in at most `limit` characters, cut at the last sentence or clause end that fits, with '…'."""
    text = text.strip()
    if len(text) <= limit:
        return text
    head = text[: max(limit - 1, 1)]
    cuts = [m.end() for m in _END.finditer(head)] + [m.start() for m in _CLAUSE_END.finditer(head)]
    best = max((cut for cut in cuts if cut >= limit // 2), default=0)
    if not best:
        space = head.rfind(" ")
        best = space if space >= limit // 2 else len(head)
    return head[:best].rstrip() + "…"


def pieces(text: str, limit: int) -> list[str]:
    """Cut a text into pieces of at most `limit` characters at sentence ends; only longer sentences are cut inside."""
    text = text.strip()
    if len(text) <= limit:
        return [text] if text else []
    found: list[str] = []
    rest = text
    while len(rest) > limit:
        head = rest[:limit]
        ends = [m.end() for m in _END.finditer(head) if m.end() < limit or m.group() != "."]
        soft = [m.end() for m in _CLAUSE_END.finditer(head)]
        cut = max((e for e in ends if e >= limit // 3), default=0)
        cut = cut or max((e for e in soft if e >= limit // 3), default=0)
        cut = cut or (head.rfind(" ") + 1 if head.rfind(" ") >= limit // 3 else limit)
        found.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return [piece for piece in (*found, rest) if piece]
