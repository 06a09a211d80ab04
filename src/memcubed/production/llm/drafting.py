"""Making the draft of a memory that passed: its tags, its time, how sure it is."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from memcubed.language.cleaning import printable
from memcubed.language.sentences import clip
from memcubed.language.spans import Granularity, TimeSpan
from memcubed.memories.model import MemoryKind
from memcubed.messages.model import Role
from memcubed.production.llm.answer import ProposedMemory
from memcubed.production.llm.evidence import Candidate, Evidence
from memcubed.production.llm.standing_alone import stand_alone
from memcubed.production.llm.tagging import choose_tags
from memcubed.production.llm.turn_dates import local_day, stated_dates, supported
from memcubed.production.model import Draft

KEY_CHARACTERS = 60

# What was stated is nearly sure, what was concluded is a guess. A date that nobody named makes either doubtful.
_CONFIDENCE = {
    MemoryKind.FACT: 0.9,
    MemoryKind.EXPLICIT_PREFERENCE: 0.9,
    MemoryKind.IMPLICIT_PREFERENCE: 0.6,
}
_DOUBTFUL = 0.4
_QUOTED_CHARACTERS = 200
_ISO = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?$")


def clean(text: str) -> str:
    """Make a model's text storable: no control characters or lone surrogates, single blanks."""
    return " ".join(printable(text).split())


def build_draft(proposed: ProposedMemory, candidate: Candidate, evidence: Evidence, vocabulary: Sequence[str]) -> Draft:
    """Build the draft of a candidate with sources. A date that nobody named lowers its confidence and gives no time."""
    named = [span for spans in evidence.named_times.values() for span in spans]
    stated = stated_dates(candidate.value, evidence.last_said)
    dated = all(supported(span, [*named, *evidence.said_on]) for span in stated)
    confidence = _CONFIDENCE[proposed.kind]
    said_at = evidence.turns[candidate.sources[0]].chat_time.astimezone(evidence.timezone)
    value = stand_alone(candidate.value, said_at, evidence.language)
    return Draft(
        kind=proposed.kind,
        key=candidate.key or clip(value, KEY_CHARACTERS),
        value=value,
        source_ids=tuple(dict.fromkeys(evidence.turns[label].message_id for label in candidate.sources)),
        tags=choose_tags(proposed.tags, vocabulary, f"{candidate.key} {candidate.value}", banned=evidence.example),
        reasoning=(candidate.reasoning or _quote(candidate, evidence)) if proposed.kind.is_preference else "",
        confidence=confidence if dated else min(confidence, _DOUBTFUL),
        memory_time=_memory_time(proposed.time, candidate, evidence) if dated else None,
    )


def _memory_time(proposed: str, candidate: Candidate, evidence: Evidence) -> datetime | None:
    """Take the model's date when a source names it, else the only one that the sources name.

    Small models give the day of the conversation for everything: it counts only when it is named as a day.
    """
    spans = [
        span
        for label in candidate.sources
        if evidence.turns[label].role is Role.USER
        for span in evidence.named_times[label]
    ]
    exact = [span for span in spans if span.granularity in (Granularity.DAY, Granularity.HOUR)]
    parsed = _parse(proposed)
    if parsed is not None:
        day = local_day(datetime.combine(parsed, time(), evidence.timezone))
        if supported(day, exact if day in evidence.said_on else spans, slack=timedelta(0)):
            return day.start.astimezone(UTC)
    return _only(exact) or _only(spans)


def _only(spans: Sequence[TimeSpan]) -> datetime | None:
    starts = {span.start for span in spans}
    return starts.pop().astimezone(UTC) if len(starts) == 1 else None


def _parse(text: str) -> date | None:
    match = _ISO.match(text.strip())
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        return None


def _quote(candidate: Candidate, evidence: Evidence) -> str:
    """Give what the user said as the reason of a preference that was stated."""
    said = [evidence.turns[label] for label in candidate.sources if evidence.turns[label].role is Role.USER]
    text = clip(clean(said[0].content), _QUOTED_CHARACTERS)
    return f"“{text}”"
