"""Stretches of the calendar, and how a compact label names them."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2100
"""Dates outside are taken for something else than dates."""

# The distance to the nearest occurrence beyond which a date without a year could be meant in either direction.
_CLEAR_DAYS: Final = 150
_LAST_MONTH: Final = 12


class Granularity(StrEnum):
    """How exact a time was named."""

    YEAR = "year"
    MONTHS = "months"
    MONTH = "month"
    WEEK = "week"
    DAYS = "days"
    DAY = "day"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """From `start` up to, not including, `end`; both aware."""

    start: datetime
    end: datetime
    granularity: Granularity


class Reference(StrEnum):
    """What a time expression was measured from."""

    ABSOLUTE = "absolute"
    """Its year was stated."""
    IMPLIED = "implied"
    """A date without its year; the nearest one is meant."""
    RELATIVE = "relative"
    CURRENT = "current"
    """The very day, week, month or year of speaking."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole days from `first` to `last`, both included."""

    first: date
    last: date
    granularity: Granularity


def day(at: date) -> Stretch:
    """One day."""
    return Stretch(at, at, Granularity.DAY)


def days(first: date, last: date) -> Stretch:
    """Some days in a row; raises ValueError when they run backwards."""
    if last < first:
        raise ValueError("the last day lies before the first")
    return Stretch(first, last, Granularity.DAYS)


def week(at: date) -> Stretch:
    """Return the Monday to Sunday that holds a day."""
    monday = at - timedelta(days=at.weekday())
    return Stretch(monday, monday + timedelta(days=6), Granularity.WEEK)


def weekend(at: date) -> Stretch:
    """Return the Saturday and Sunday of the week that holds a day."""
    monday = at - timedelta(days=at.weekday())
    return days(monday + timedelta(days=5), monday + timedelta(days=6))


def month(year_: int, month_: int) -> Stretch:
    """One month of the calendar."""
    return Stretch(date(year_, month_, 1), date(year_, month_, monthrange(year_, month_)[1]), Granularity.MONTH)


def months(first: Stretch, last: Stretch) -> Stretch:
    """Return the months from one to another."""
    return Stretch(first.first, last.last, Granularity.MONTHS)


def year(year_: int) -> Stretch:
    """One year of the calendar."""
    return Stretch(date(year_, 1, 1), date(year_, 12, 31), Granularity.YEAR)


def shifted_month(at: date, by: int) -> Stretch:
    """Return the month `by` months after the one that holds a day; raises ValueError outside the calendar."""
    index = at.year * _LAST_MONTH + at.month - 1 + by
    return month(index // _LAST_MONTH, index % _LAST_MONTH + 1)


def distance(stretch: Stretch, today: date) -> int:
    """Return the days from today to the nearest day of a stretch; 0 inside it."""
    if stretch.first <= today <= stretch.last:
        return 0
    return min(abs((stretch.first - today).days), abs((stretch.last - today).days))


def nearest(candidates: list[Stretch], today: date, *, past: bool, future: bool) -> Stretch | None:
    """Choose the occurrence that is meant by a date without its year.

    `past` and `future` are what the clause's verbs say. Without such a hint the nearest one is taken, and none
    when it is too far away to be clear.
    """
    if past and not future:
        candidates = [c for c in candidates if c.first <= today]
    elif future and not past:
        candidates = [c for c in candidates if c.last >= today]
    if not candidates:
        return None
    best = min(candidates, key=lambda c: distance(c, today))
    clear = past != future or distance(best, today) <= _CLEAR_DAYS
    return best if clear else None


def in_years(month_: int, day_: int, today: date, length: int = 1) -> list[Stretch]:
    """Return the `length` days from a month and day on, in last year, this year and next year."""
    found = []
    for year_ in (today.year - 1, today.year, today.year + 1):
        if day_ <= monthrange(year_, month_)[1]:
            first = date(year_, month_, day_)
            found.append(day(first) if length == 1 else days(first, first + timedelta(days=length - 1)))
    return found


def to_span(stretch: Stretch, now: datetime, hours: tuple[float, float] | None = None) -> TimeSpan:
    """Return a stretch as aware datetimes in now's time zone; `hours` narrow a single day."""
    zone = now.tzinfo
    start = datetime.combine(stretch.first, time(), zone)
    end = datetime.combine(stretch.last + timedelta(days=1), time(), zone)
    if hours is None or stretch.first != stretch.last:
        return TimeSpan(start, end, stretch.granularity)
    return TimeSpan(start + timedelta(hours=hours[0]), start + timedelta(hours=hours[1]), Granularity.HOUR)


def label(span: TimeSpan) -> str:
    """Name a span in digits, as short as it can be: 2025-04-01, 2025-03-31~04-06, 2025-04, 2025-06~08, 2025."""
    first = span.start.date()
    last = (span.end - timedelta(microseconds=1)).date()
    match span.granularity:
        case Granularity.YEAR:
            return f"{first.year}"
        case Granularity.MONTH:
            return f"{first:%Y-%m}"
        case Granularity.MONTHS:
            return f"{first:%Y-%m}~{last:%m}" if first.year == last.year else f"{first:%Y-%m}~{last:%Y-%m}"
        case Granularity.DAY | Granularity.HOUR:
            return first.isoformat()
        case Granularity.WEEK | Granularity.DAYS:
            if (first.year, first.month) == (last.year, last.month):
                return f"{first.isoformat()}~{last:%d}"
            return f"{first.isoformat()}~{last:%m-%d}" if first.year == last.year else f"{first}~{last}"


def utc(at: datetime) -> datetime:
    """Return an aware time in UTC."""
    return at.astimezone(UTC)
