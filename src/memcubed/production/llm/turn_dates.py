"""The dates that turns name, worked out by rules: small models miscount weekdays."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from memcubed.language.dates import find_times
from memcubed.language.spans import Granularity, Reference, TimeSpan, label
from memcubed.messages.model import Turn

_MOST = 8


def relative_dates(turn: Turn, timezone: ZoneInfo) -> Mapping[str, str]:
    """Map each relative date in a turn ("next Friday", 下个月) to what it stands for, at most eight of them."""
    found = find_times(turn.content, turn.chat_time.astimezone(timezone))
    named = {item.text: label(item.span) for item in found if item.reference is not Reference.ABSOLUTE}
    return dict(list(named.items())[:_MOST])


def named_spans(turns: Iterable[Turn], timezone: ZoneInfo) -> list[TimeSpan]:
    """Collect every stretch of time that the turns name."""
    spans: list[TimeSpan] = []
    for turn in turns:
        now = turn.chat_time.astimezone(timezone)
        spans.extend(item.span for item in find_times(turn.content, now))
    return spans


def stated_dates(text: str, now: datetime) -> list[TimeSpan]:
    """Collect the dates with a year that a text states: those that a model may have made up."""
    return [item.span for item in find_times(text, now) if item.reference is Reference.ABSOLUTE]


def local_day(at: datetime) -> TimeSpan:
    """Give the whole day of an aware time, in its time zone."""
    start = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return TimeSpan(start, start + timedelta(days=1), Granularity.DAY)


def supported(span: TimeSpan, by: Iterable[TimeSpan], *, slack: timedelta = timedelta(days=1)) -> bool:
    """Whether a date lies in, or holds, one of the stretches that were named.

    `slack` forgives a neighbouring day, as models disagree about the ends of a week.
    """
    return any(span.start < other.end + slack and other.start - slack < span.end for other in by)
