"""How a rule for dates is written and run."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Final

from memcubed.language.spans import Reference, Stretch

_WINDOW: Final = 160
# A calendar pasted into a message is not worth seconds.
_MAX_MATCHES: Final = 300


@dataclass(frozen=True, slots=True)
class Context:
    """The text under reading and the day on which it was said."""

    text: str
    today: date

    def around(self, match: re.Match[str], stop: re.Pattern[str]) -> str:
        """Return what stands around a match up to the nearest stops, the match left out."""
        before = self.text[max(match.start() - _WINDOW, 0) : match.start()]
        after = self.text[match.end() : match.end() + _WINDOW]
        end = stop.search(after)
        return f"{stop.split(before)[-1]} {after[: end.start()] if end else after}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a rule reads in a match. `end` shortens the match to what names the time."""

    stretch: Stretch
    reference: Reference
    hours: tuple[float, float] | None = None
    end: int | None = None


Rule = tuple[re.Pattern[str], Callable[[re.Match[str], Context], Reading | None]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reading in its place."""

    start: int
    end: int
    stretch: Stretch
    reference: Reference
    hours: tuple[float, float] | None


def read(rules: Sequence[Rule], context: Context) -> Iterator[Candidate]:
    """Run every rule over the text. What is no date of the calendar (31 June, the year 99999) is passed over."""
    for pattern, interpret in rules:
        for match in islice(pattern.finditer(context.text), _MAX_MATCHES):
            try:
                reading = interpret(match, context)
            except (ValueError, OverflowError):
                continue
            if reading:
                end = reading.end or match.end()
                yield Candidate(match.start(), end, reading.stretch, reading.reference, reading.hours)
