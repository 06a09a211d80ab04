"""English expressions of time."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from memcubed.language.date_rules import Candidate, Context, Reading, Rule, read
from memcubed.language.numerals import ENGLISH_NUMBER as NUM
from memcubed.language.numerals import english
from memcubed.language.spans import (
    Reference,
    Stretch,
    day,
    days,
    in_years,
    month,
    months,
    nearest,
    shifted_month,
    week,
    weekend,
    year,
)
from memcubed.language.tense import english_tense

_SENTENCE: Final = re.compile(r"[。！？!?；;\n]|\.(?=\s|$)")
_CLAUSE: Final = re.compile(r"[。！？!?；;\n,，]|\.(?=\s|$)")

_MONTHS: Final = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
# Only names that are no other word may be written without their capital.
_MONTH: Final = (
    r"(?P<month>January|February|March|April|May|June|July|August|September|October|November|December"
    r"|january|february|april|june|july|september|october|november|december"
    r"|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)(?:\b\.?))"
)
_WEEKDAYS: Final = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEKDAY: Final = (
    r"(?P<weekday>(?:[Mm]on|[Tt]ues|[Ww]ednes|[Tt]hurs|[Ff]ri|[Ss]atur|[Ss]un)day"
    r"|Mon|Tues?|Wed|Thurs?|Thu|Fri|Sat|Sun)\b(?!s\b)"
)
_TIME: Final = (
    r"(?:,?\s(?P<part>morning|afternoon|evening|night|lunchtime)\b)?"
    r"(?:,?\sat\s(?P<hour>\d{1,2})(?::(?P<minute>\d\d))?(?:\s?(?P<half>[ap])\.?m\b\.?)?(?!\d|\s?%|\s[a-z]))?"
)
_PARTS: Final[dict[str, tuple[float, float]]] = {
    "morning": (5, 12), "lunchtime": (11, 14), "afternoon": (12, 18), "evening": (18, 24), "night": (18, 24),
}  # fmt: skip
_DAY: Final = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_DAY_2: Final = r"(?:\s?(?:-|–|—|to|until|till)\s?(?P<day2>\d{1,2})(?:st|nd|rd|th)?)?"
_YEAR: Final = r"(?:,?\s(?P<year>(?:19|20)\d\d)\b(?![.,]?\d))?"
_SHIFTS: Final = {"last": -1, "this": 0, "next": 1, "this past": -1, "this coming": 1, "the coming": 1}
_SEASONS: Final = {"spring": (3, 5), "summer": (6, 8), "autumn": (9, 11), "fall": (9, 11)}
_HOLIDAY: Final = (
    r"(?P<holiday>(?:[Cc]hristmas|Xmas)(?:\s(?:[Ee]ve|[Dd]ay))?"
    r"|New Year['’]s (?:Eve|Day)|Halloween|Valentine['’]s(?: Day)?)"
)
_HOLIDAYS: Final = {
    "christmas eve": (12, 24), "xmas eve": (12, 24), "new year's eve": (12, 31), "new year's day": (1, 1),
    "halloween": (10, 31), "valentine": (2, 14), "christmas": (12, 25), "xmas": (12, 25),
}  # fmt: skip
_NOON: Final = 12
_ABBREVIATION: Final = 3


def candidates(context: Context) -> Iterator[Candidate]:
    """Yield all that the rules read; they may overlap."""
    return read(_RULES, context)


def absolute_candidates(context: Context) -> Iterator[Candidate]:
    """Yield the dates in digits, which are no matter of language."""
    return read(_DIGITS, context)


def _month_number(name: str) -> int:
    short = name.lower()[:_ABBREVIATION]
    return next(i for i, full in enumerate(_MONTHS, 1) if full.startswith(short))


def _weekday_number(name: str) -> int:
    short = name.lower()[:_ABBREVIATION]
    return next(i for i, full in enumerate(_WEEKDAYS) if full.startswith(short))


def _hours(match: re.Match[str]) -> tuple[float, float] | None:
    if match["hour"]:
        hour = int(match["hour"])
        late = match["half"] == "p" or (not match["half"] and match["part"] in {"afternoon", "evening", "night"})
        if not late and not match["half"] and not match["part"]:
            return None
        hour = hour % _NOON + (_NOON if late else 0)
        start = hour + int(match["minute"] or 0) / 60
        return (start, start + 1)
    return _PARTS.get(match["part"] or "")


def _reference(offset: int) -> Reference:
    return Reference.RELATIVE if offset else Reference.CURRENT


def _tense(match: re.Match[str], context: Context) -> tuple[bool, bool]:
    return english_tense(context.around(match, _SENTENCE))


def _day(match: re.Match[str], context: Context) -> Reading:
    name = match["name"].lower()
    offset = {"yesterday": -1, "tomorrow": 1, "the day before yesterday": -2, "the day after tomorrow": 2}.get(name, 0)
    return Reading(day(context.today + timedelta(days=offset)), _reference(offset), _hours(match))


def _part(match: re.Match[str], context: Context) -> Reading:
    name = match["name"].lower()
    if name == "last night":
        return Reading(day(context.today - timedelta(days=1)), Reference.RELATIVE, _PARTS["night"])
    part = "night" if name == "tonight" else name.split()[1]
    return Reading(day(context.today), Reference.CURRENT, _PARTS[part])


def _period(match: re.Match[str], context: Context) -> Reading:
    offset = _SHIFTS[match["which"].lower()]
    match match["unit"].lower():
        case "week":
            return Reading(week(context.today + timedelta(weeks=offset)), _reference(offset))
        case "month":
            return Reading(shifted_month(context.today, offset), _reference(offset))
        case _:
            return Reading(year(context.today.year + offset), _reference(offset))


def _outer_period(match: re.Match[str], context: Context) -> Reading:
    offset = -2 if match["which"].lower() == "before last" else 2
    match match["unit"].lower():
        case "week":
            return Reading(week(context.today + timedelta(weeks=offset)), Reference.RELATIVE)
        case "month":
            return Reading(shifted_month(context.today, offset), Reference.RELATIVE)
        case _:
            return Reading(year(context.today.year + offset), Reference.RELATIVE)


def _weekend(match: re.Match[str], context: Context) -> Reading | None:
    """Read last and this weekend; 'next weekend' means two things to two people."""
    this = weekend(context.today)
    if match["which"].lower() == "this":
        return Reading(this, Reference.RELATIVE)
    return Reading(weekend(context.today - timedelta(weeks=1)), Reference.RELATIVE)


def _named_weekday(match: re.Match[str], context: Context) -> Reading | None:
    number, today = _weekday_number(match["weekday"]), context.today
    back = (today.weekday() - number) % 7 or 7
    ahead = (number - today.weekday()) % 7 or 7
    which = match["which"].lower()
    if which in {"last", "this past"}:
        at = today - timedelta(days=back)
    elif which in {"this coming", "the coming"} or (which == "next" and number <= today.weekday()):
        at = today + timedelta(days=ahead)
    elif which == "this":
        past, _ = _tense(match, context)
        at = today - timedelta(days=back % 7) if past else today + timedelta(days=ahead % 7)
    else:
        # "Next Friday" on a Monday: the one in four days, or the one after?
        return None
    return Reading(day(at), Reference.RELATIVE, _hours(match))


def _weekday(match: re.Match[str], context: Context) -> Reading | None:
    """Read a bare weekday only when the verbs around tell whether it is past or to come."""
    past, future = _tense(match, context)
    if past == future:
        # "He moved here, but see you on Friday": the clause decides where the sentence has both.
        past, future = english_tense(f"{match.group()} {context.around(match, _CLAUSE)}")
    number, today = _weekday_number(match["weekday"]), context.today
    if past:
        return Reading(day(today - timedelta((today.weekday() - number) % 7 or 7)), Reference.RELATIVE, _hours(match))
    if future:
        return Reading(day(today + timedelta((number - today.weekday()) % 7 or 7)), Reference.RELATIVE, _hours(match))
    return None


def _weeks_on(match: re.Match[str], context: Context) -> Reading:
    ahead = (_weekday_number(match["weekday"]) - context.today.weekday()) % 7 or 7
    weeks = english(match["number"]) if match["number"] else 1
    return Reading(day(context.today + timedelta(days=ahead, weeks=weeks)), Reference.RELATIVE)


def _away(number: int, unit: str, today: date) -> Stretch:
    match unit:
        case "day":
            return day(today + timedelta(days=number))
        case "week":
            return week(today + timedelta(weeks=number))
        case "fortnight":
            return week(today + timedelta(weeks=2 * number))
        case "month":
            return shifted_month(today, number)
        case _:
            return year(today.year + number)


def _ago(match: re.Match[str], context: Context) -> Reading:
    return Reading(_away(-english(match["number"]), match["unit"].lower(), context.today), Reference.RELATIVE)


def _ahead(match: re.Match[str], context: Context) -> Reading | None:
    """Read 'in two weeks' as a time only in a clause about the future: it may be how long something took."""
    if "from" not in match.group().lower() and "time" not in match.group().lower() and not _tense(match, context)[1]:
        return None
    return Reading(_away(english(match["number"]), match["unit"].lower(), context.today), Reference.RELATIVE)


def _dated(match: re.Match[str], context: Context) -> Reading | None:
    number = _month_number(match["month"])
    first = int(match["day"])

    def in_year(at: int) -> Stretch:
        begin = date(at, number, first)
        return days(begin, date(at, number, int(match["day2"]))) if match["day2"] else day(begin)

    if match["year"]:
        return Reading(in_year(int(match["year"])), Reference.ABSOLUTE, _hours(match))
    past, future = _tense(match, context)
    around = [in_year(c.first.year) for c in in_years(number, first, context.today)]
    stretch = nearest(around, context.today, past=past, future=future)
    return Reading(stretch, Reference.IMPLIED, _hours(match)) if stretch else None


def _month(match: re.Match[str], context: Context) -> Reading | None:
    number = _month_number(match["month"])
    if match["year"]:
        return Reading(month(int(match["year"]), number), Reference.ABSOLUTE)
    past, future = _tense(match, context)
    around = [month(context.today.year + by, number) for by in (-1, 0, 1)]
    stretch = nearest(around, context.today, past=past, future=future)
    return Reading(stretch, Reference.IMPLIED) if stretch else None


def _named_month(match: re.Match[str], context: Context) -> Reading | None:
    """Read 'last October' where only one October can be meant."""
    number, today = _month_number(match["month"]), context.today
    which = match["which"].lower()
    if which == "this":
        return Reading(month(today.year, number), Reference.RELATIVE)
    if which == "last":
        return Reading(month(today.year - 1, number), Reference.RELATIVE) if number >= today.month else None
    return Reading(month(today.year + 1, number), Reference.RELATIVE) if number <= today.month else None


def _season(match: re.Match[str], context: Context) -> Reading | None:
    first, last = _SEASONS[match["season"].lower()]
    today, which = context.today, match["which"].lower()
    at = today.year
    if which == "last":
        at -= 0 if today.month > last else 1
    elif which == "next":
        if today.month < first:
            return None
        at += 1
    return Reading(months(month(at, first), month(at, last)), Reference.RELATIVE)


def _year(match: re.Match[str], _: Context) -> Reading:
    return Reading(year(int(match["year"])), Reference.ABSOLUTE)


def _holiday(match: re.Match[str], context: Context) -> Reading | None:
    name = match["holiday"].lower().replace("’", "'")
    month_, day_ = next(found for key, found in _HOLIDAYS.items() if name.startswith(key))
    around = in_years(month_, day_, context.today)
    which = (match["which"] or "").lower()
    if which == "last":
        return Reading([c for c in around if c.first < context.today][-1], Reference.RELATIVE)
    if which == "next" and (month_, day_) > (context.today.month, context.today.day):
        return None
    if which == "next":
        return Reading(around[-1], Reference.RELATIVE)
    past, future = _tense(match, context)
    stretch = nearest(around, context.today, past=past, future=future)
    return Reading(stretch, Reference.IMPLIED) if stretch else None


def _numeric(match: re.Match[str], _: Context) -> Reading:
    at = date(int(match["year"]), int(match["month"]), int(match["day"]))
    return Reading(day(at), Reference.ABSOLUTE)


_I: Final = re.IGNORECASE
_DIGITS: Final[tuple[Rule, ...]] = (
    (
        re.compile(
            r"(?<![\d.\-/])(?P<year>(?:19"
            r"|20)\d\d)(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})(?![\d\-/]|\.\d)"
        ),
        _numeric,
    ),
)
_RULES: Final[tuple[Rule, ...]] = (
    *_DIGITS,
    (
        re.compile(
            rf"\b(?P<name>the day before yesterday|the day after tomorrow|yesterday|tomorrow"
            rf"|today)\b(?:['’]s\b)?{_TIME}",
            _I,
        ),
        _day,
    ),
    (re.compile(r"\b(?P<name>tonight|last night|this (?:morning|afternoon|evening))\b", _I), _part),
    (
        re.compile(
            r"(?<!the )(?<!past )\b(?P<which>last|this|next) (?P<unit>week|month|year)\b(?:['’]s\b)?(?!\s+(?:of|on)\b)",
            _I,
        ),
        _period,
    ),
    (re.compile(r"\bthe (?P<unit>week|month|year) (?P<which>before last|after next)\b", _I), _outer_period),
    (re.compile(r"(?<!the )\b(?P<which>last|this past|this) weekend\b", _I), _weekend),
    (
        re.compile(
            rf"(?<!the )\b(?P<which>[Ll]ast|[Tt]his past|[Tt]his coming|[Tt]he coming|[Tt]his"
            rf"|[Nn]ext) {_WEEKDAY}{_TIME}"
        ),
        _named_weekday,
    ),
    (re.compile(rf"\b(?:(?:[Oo]n|[Bb]y|[Ss]ince|[Uu]ntil|[Tt]ill|from) )(?:the )?{_WEEKDAY}{_TIME}"), _weekday),
    (
        re.compile(
            rf"\b(?:[Ss]ee (?:you|ya)|[Ll]et['’]s (?:meet|talk|go|do it)|due) {_WEEKDAY}(?!\s?[-–]|\sto\b){_TIME}"
        ),
        _weekday,
    ),
    (re.compile(rf"\b(?P<number>{NUM}) weeks? (?:on|from) {_WEEKDAY}", _I), _weeks_on),
    (
        re.compile(rf"(?<![-.,\d])(?<!half )\b(?P<number>{NUM}) (?P<unit>day|week|fortnight|month|year)s? ago\b", _I),
        _ago,
    ),
    (
        re.compile(
            rf"(?:\bin (?P<number>{NUM}) (?P<unit>day|week|fortnight|month|year)s?\b(?:['’]? time\b)?)(?! of)", _I
        ),
        _ahead,
    ),
    (re.compile(rf"\b(?P<number>{NUM}) (?P<unit>day|week|fortnight|month|year)s? from (?:now|today)\b", _I), _ahead),
    (
        re.compile(rf"\b{_MONTH}\s{_DAY}{_DAY_2}(?!\d|:\d|[.,]\d|\s?%|\s(?:years|people|percent)\b){_YEAR}{_TIME}"),
        _dated,
    ),
    (re.compile(rf"(?<![\d.,:/\-£$€])\b{_DAY}{_DAY_2}\s(?:of\s)?{_MONTH}\b{_YEAR}{_TIME}"), _dated),
    (re.compile(rf"(?<!\d\s)\b{_MONTH},?\s(?P<year>(?:19|20)\d\d)\b(?![.,]?\d)"), _month),
    (
        re.compile(rf"(?<=\b[Ii]n )(?:early |late |mid-?)?{_MONTH}\b(?!\s\d)(?P<year>)"),
        _month,
    ),
    (
        re.compile(
            rf"(?:(?<=[Ss]ince )|(?<=[Uu]ntil )|(?<= by )|(?<=during )|(?<=nd of ))(?P<year>){_MONTH}\b(?!\s\d)"
        ),
        _month,
    ),
    (re.compile(rf"\b(?P<which>[Ll]ast|[Tt]his|[Nn]ext) {_MONTH}\b(?!\s\d)"), _named_month),
    (re.compile(r"(?<!the )\b(?P<which>last|this|next) (?P<season>spring|summer|autumn|fall)\b(?!\w)", _I), _season),
    (
        re.compile(
            r"(?:(?<=\b[Ii]n )|(?<=[Ss]ince )|(?<=[Uu]ntil )|(?<= by )|(?<=back in )|(?<=of ))(?P<year>(?:19|20)\d\d)\b"
            r"(?!['’\-]?\w|[.,/:]\d|\s?[%€£$]|\s(?:words|people|steps|dollars|pounds|calories|kcal|m|km|kg|g|ml)\b)"
        ),
        _year,
    ),
    (
        re.compile(
            rf"(?:\b(?P<which>[Ll]ast|[Tt]his|[Nn]ext) )?\b{_HOLIDAY}\b(?! (?:tree|card|list|jumper|market|present"
            rf"|gift|dinner)s?)"
        ),
        _holiday,
    ),
)
