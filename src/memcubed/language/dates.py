"""Times that a text names, and the text with its relative times made absolute.

The rules are careful: an expression that could mean two dates is left alone, since a wrong date is worse than none.
Of the lunar calendar only the Spring Festival is known.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from memcubed.language import dates_en, dates_zh
from memcubed.language.cleaning import MAX_TEXT
from memcubed.language.date_rules import Candidate, Context
from memcubed.language.detect import Language, has_han
from memcubed.language.spans import FIRST_YEAR, LAST_YEAR, Granularity, Reference, TimeSpan, label, to_span

_ANNOTATED: Final = re.compile(r"\s?[(（]\d{4}")
_HALF_WIDTH: Final = str.maketrans("０１２３４５６７８９：", "0123456789:")


@dataclass(frozen=True, slots=True)
class TimeExpression:
    """Words that name a time: `text[start:end]`, and the span they mean."""

    start: int
    end: int
    text: str
    span: TimeSpan
    reference: Reference


def find_times(text: str, now: datetime, language: Language | None = None) -> list[TimeExpression]:
    """Return the times that a text names, in order, not overlapping.

    `now` (aware) is when it was said; its time zone is the one of the spans. Without a language both sets of rules
    are tried. Raises ValueError when `now` is naive.
    """
    if now.tzinfo is None:
        raise ValueError("now must be an aware datetime")
    # The translation keeps every offset.
    plain = text[:MAX_TEXT].translate(_HALF_WIDTH)
    context = Context(plain, now.date())
    candidates: list[Candidate] = []
    if language is not Language.EN or has_han(plain):
        candidates.extend(dates_zh.candidates(context))
    if language is not Language.ZH:
        candidates.extend(dates_en.candidates(context))
    else:
        candidates.extend(dates_en.absolute_candidates(context))
    return [
        TimeExpression(c.start, c.end, text[c.start : c.end], to_span(c.stretch, now, c.hours), c.reference)
        for c in _chosen(candidates)
    ]


def resolve(text: str, now: datetime, language: Language | None = None, *, current: bool = True) -> str:
    """Return the text with the date behind each relative expression: "yesterday (2023-05-07)", "上周二（2025-04-01）".

    A date whose year goes without saying stays as it is. `current=False` leaves "today" and "this month" alone too,
    for texts that are shown with the date on which they were said. What already has its date behind it keeps it.
    """
    parts: list[str] = []
    done = 0
    for found in find_times(text, now, language):
        if not _wants_date(found, now, current=current) or _ANNOTATED.match(text, found.end):
            continue
        chinese = has_han(found.text)
        parts.append(text[done : found.end])
        parts.append(f"（{label(found.span)}）" if chinese else f" ({label(found.span)})")
        done = found.end
    return "".join((*parts, text[done:]))


def find_moment(text: str, now: datetime, language: Language | None = None) -> datetime | None:
    """Return the one time that a text names, aware UTC, or None when it names none or several."""
    # "This week" or "in 2019" is no one moment.
    starts = {
        found.span.start
        for found in find_times(text, now, language)
        if found.span.granularity in {Granularity.DAY, Granularity.HOUR}
        or (found.reference is not Reference.CURRENT and found.span.granularity is not Granularity.YEAR)
    }
    return starts.pop().astimezone(UTC) if len(starts) == 1 else None


def without_times(text: str, now: datetime) -> str:
    """Return the text with a blank in the place of every time it names."""
    parts: list[str] = []
    done = 0
    for found in find_times(text, now):
        parts.append(text[done : found.start])
        done = found.end
    return " ".join((*parts, text[done:]))


def _wants_date(found: TimeExpression, now: datetime, *, current: bool) -> bool:
    match found.reference:
        case Reference.ABSOLUTE:
            return False
        case Reference.IMPLIED:
            return found.span.start.year != now.year
        case Reference.RELATIVE:
            return True
        case Reference.CURRENT:
            return current


def _chosen(candidates: list[Candidate]) -> Iterator[Candidate]:
    """Leftmost first, the longest of those that begin together; what overlaps an earlier one is dropped."""
    done = -1
    for found in sorted(candidates, key=lambda c: (c.start, -c.end)):
        within = found.stretch.first.year >= FIRST_YEAR and found.stretch.last.year <= LAST_YEAR
        if found.start >= done and within:
            done = found.end
            yield found
