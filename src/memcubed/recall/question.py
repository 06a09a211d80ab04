"""What a query is after, read by rules: whose words, which time, a fact or advice."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from memcubed.language.dates import find_times

MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip

_ASKS_ASSISTANT: Final = re.compile(
    r"\b(did|had|have) you\b.{0,20}\b"
    r"(gave|give|given|tell|told|say|said|suggest|recommend|list|offer|mention|advise|propose|write|draft|explain)"
    r"|\byou\s+(?:\w+\s+)?"
    r"(gave|told|said|suggested|recommended|listed|offered|mentioned|advised|proposed|wrote|drafted|explained)\b"
    r"|\byour (advice|suggestion|list|plan|draft|answer|tip)"
    r"|你[^，。？！]{0,8}(?:给|叫|让|教|说|讲|建议|推荐|列|提|告诉|写|拟|搭|安排)[^，。？！]{0,4}(?:过|的|了)"
    r"|你(?:当时|之前|上次|那次|以前|那会儿|那天|曾经?)|你(?:的|那个|那条|那份)(?:建议|清单|方案|计划)"
    r"|(?:当时|之前|上次|那会儿)[^，。？！]{0,3}你",
    re.IGNORECASE,
)
_NOW: Final = re.compile(
    r"\b(now|nowadays|currently|current|these days|at the moment|at present|latest|still|today)\b"
    r"|现在|目前|眼下|如今|最近|现今|当前|最新|这阵子",
    re.IGNORECASE,
)
_BEFORE: Final = re.compile(
    r"\b(before|used to|previous(ly)?|former(ly)?|originally|earlier|old|at first|back when|prior)\b"
    r"|之前|以前|原来|先前|原先|最早|当初|从前|过去|前一",
    re.IGNORECASE,
)
_CHANGE: Final = re.compile(
    r"\b(and (then|what)|at first .* then|change[ds]?|differ\w*|first .* and)\b|前后|变化|分别|后来|两次", re.IGNORECASE
)
_REQUEST: Final = re.compile(
    r"\b(should|could you|can you|please|recommend|suggest|any (ideas?|tips|advice|suggestions?)|ideas? for|tips|advice"
    r"|best way|quickest|plan (a|an|my|our|the|some)|pick|choose|help me|how (can|do|should) (i|we)|would .* suit"
    r"|what (can|shall) (i|we))\b"
    r"|^(write|draft|give|make|plan|find|explain|summari[sz]e|translate|tell|show|answer|compose|book|create|design"
    r"|suggest|pick|remind|set|add|list|describe|compare|i'm |i |my |it's )"
    r"|帮我|给我(?!列|讲|说|的|过)|推荐|建议|安排(一下|下)|怎么(办|提高|去|做|挑|选|写|安排|样)|怎样|如何"
    r"|该(怎么|买|选|去|吃|挑)|(吃|买|选|挑|送)点?什么|什么好|有什么(好|建议|办法|主意)|请|适不适合|你觉得|你来"
    r"|能不能|可以.{0,6}吗|能.{1,8}吗",
    re.IGNORECASE,
)
_QUESTION: Final = re.compile(
    r"\b(what|which|when|where|who|whom|whose|why|how|is|are|am|was|were|do|does|did|has|have|had)\b"
    r"|[吗呢么？?]|什么|哪|谁|多少|几",
    re.IGNORECASE,
)
_DATE_EN: Final = re.compile(
    rf"\b(?:(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?)?({'|'.join(MONTHS)})\b(?:\s+(\d{{1,2}})(?:st|nd|rd|th)?\b)?"
    r"(?:,?\s*(?:of\s+|in\s+)?(\d{4}))?",
    re.IGNORECASE,
)
_DATE_ZH: Final = re.compile(r"(?:(\d{4})年)?(\d{1,2})月(?:份|(\d{1,2})[日号])?")
_ALSO_WORDS: Final = frozenset({"may", "march"})
_BEFORE_A_MONTH: Final = frozenset(
    {"in", "on", "of", "since", "during", "last", "this", "by", "until", "early", "late", "mid"}
)
_MONTHS_A_YEAR: Final = 12

_SOON: Final = timedelta(days=7)
_LATER: Final = timedelta(days=31)


class Era(StrEnum):
    """Which state of things a query asks for."""

    ANY = "any"
    NOW = "now"
    BEFORE = "before"


@dataclass(frozen=True, slots=True)
class NamedDate:
    """A month, or a day in one, that a query names; without a year, any year's."""

    year: int | None
    month: int
    day: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """A query, read once. `spans` are relative times in it, such as 上周 or last May, made absolute."""

    text: str
    asks_assistant: bool
    is_request: bool
    era: Era
    dates: tuple[NamedDate, ...]
    spans: tuple[tuple[datetime, datetime], ...]

    @classmethod
    def read(cls, query: str, now: datetime) -> "Question":
        """Read a query as asked now (aware, in the zone that its relative dates are meant in)."""
        dates = tuple(_named_dates(query))
        asks_assistant = _ASKS_ASSISTANT.search(query) is not None
        is_request = not asks_assistant and bool(_REQUEST.search(query.strip()) or not _QUESTION.search(query))
        spans = () if dates else tuple((found.span.start, found.span.end) for found in find_times(query, now))
        return cls(query, asks_assistant, is_request, _era(query), dates, spans)

    def only_speaker(self, speakers: Iterable[str]) -> str | None:
        """The one of these speakers that the query names; None when it names none or several."""
        lowered = self.text.lower()
        named = {who for who in speakers if re.search(rf"(?<![a-z]){re.escape(who.lower())}(?![a-z])", lowered)}
        return named.pop() if len(named) == 1 else None

    def date_match(self, told_at: datetime) -> float:
        """How well something told at this time can be about the time that the query names, from 0 to 1."""
        matches = [_match_date(told_at, named) for named in self.dates]
        matches += [_match_span(told_at, start, end) for start, end in self.spans]
        return max(matches, default=0.0)


def _era(query: str) -> Era:
    if _CHANGE.search(query):
        return Era.ANY
    now, before = bool(_NOW.search(query)), bool(_BEFORE.search(query))
    if now == before:
        return Era.ANY
    return Era.NOW if now else Era.BEFORE


def _named_dates(query: str) -> Iterable[NamedDate]:
    for match in _DATE_EN.finditer(query):
        first, name, second, year = match.groups()
        if not (first or second or year) and name.lower() in _ALSO_WORDS:
            before = query[: match.start()].rstrip().lower().rsplit(" ", 1)[-1]
            if before not in _BEFORE_A_MONTH:
                continue
        day = int(first or second or 0) or None
        yield NamedDate(int(year) if year else None, MONTHS.index(name.lower()) + 1, day)
    for match in _DATE_ZH.finditer(query):
        year, month, day_text = match.groups()
        if 1 <= int(month) <= _MONTHS_A_YEAR:
            yield NamedDate(int(year) if year else None, int(month), int(day_text) if day_text else None)


def _match_date(told_at: datetime, named: NamedDate) -> float:
    year = named.year or told_at.year
    if named.day is None:
        months_after = (told_at.year - year) * _MONTHS_A_YEAR + told_at.month - named.month
        return {0: 1.0, 1: 0.5}.get(months_after, 0.0)
    try:
        start = told_at.replace(year=year, month=named.month, day=named.day, hour=0, minute=0, second=0, microsecond=0)
    except ValueError:
        return 0.0
    return _match_span(told_at, start, start + timedelta(days=1))


def _match_span(told_at: datetime, start: datetime, end: datetime) -> float:
    if start <= told_at < end + _SOON:
        return 1.0
    return 0.5 if start <= told_at < end + _LATER else 0.0
