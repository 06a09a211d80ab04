"""Times as clients send them."""

import re
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import dateparser

from memcubed.errors import InvalidRequestError
from memcubed.language.dates import find_times

_MILLISECONDS_FROM: Final = 10**11
_EARLIEST_YEAR: Final = 1900
_LATEST_YEAR: Final = 2200
_LONGEST_TEXT: Final = 100
_LOOSE: Final = {"RETURN_AS_TIMEZONE_AWARE": True, "PREFER_DATES_FROM": "past"}
_YEAR_FIRST: Final = re.compile(r"(\d{4})\D(\d{1,2})\D(\d{1,2})(?!\d)")


def parse_time(value: object, field: str, *, zone: ZoneInfo, now: datetime) -> datetime:
    """A request's time in UTC: ISO 8601, `YYYY-MM-DD HH:MM:SS`, a date, epoch seconds or milliseconds, or words.

    A time without a zone is read in `zone`. Raises InvalidRequestError, naming the field, for anything else.
    """
    moment = _parse(value, zone, now)
    if moment is None or not _EARLIEST_YEAR <= moment.year <= _LATEST_YEAR:
        raise InvalidRequestError(
            f"{field} is not a time that can be understood; send for example `2025-06-10 14:30:00`, "
            "`2025-06-10T14:30:00+08:00` or epoch milliseconds."
        )
    return moment.astimezone(UTC)


def _parse(value: object, zone: ZoneInfo, now: datetime) -> datetime | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _from_epoch(value)
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        return None
    text = value.strip()
    try:
        return _from_epoch(float(text))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _from_words(text, zone, now)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _from_epoch(number: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(number / 1000 if abs(number) >= _MILLISECONDS_FROM else number, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _from_words(text: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    local = now.astimezone(zone)
    found = find_times(text, local)
    if len(found) == 1 and found[0].start == 0 and found[0].end == len(text):
        return found[0].span.start
    settings = {**_LOOSE, "TIMEZONE": str(zone), "RELATIVE_BASE": local.replace(tzinfo=None)}
    moment = dateparser.parse(text, languages=["en", "zh"], settings=settings)
    if moment is None:
        return None
    # Where the year stands first, dateparser reads a month that there is not as the day.
    written = _YEAR_FIRST.match(text)
    if written and (moment.year, moment.month, moment.day) != tuple(map(int, written.groups())):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
