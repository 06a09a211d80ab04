"""Events by rules: a sentence of a user that names a time is one, unless it asks, supposes or tells of a habit."""

import asyncio
import re
from collections.abc import Iterator
from typing import Final

from memcubed.language.dates import TimeExpression, find_times, resolve
from memcubed.language.sentences import clip, sentences
from memcubed.language.spans import label
from memcubed.memories.model import MemoryKind
from memcubed.messages.model import Role
from memcubed.production.events.people_and_places import find_people, find_places
from memcubed.production.local import wording
from memcubed.production.local.exchanges import Conversation, Place, read
from memcubed.production.local.facts import context_text, index_text, tags_of
from memcubed.production.local.own_words import own_sentences
from memcubed.production.model import Draft, Extraction, ExtractionRequest

_MAX_EVENTS: Final = 12
_MAX_SENTENCES: Final = 200
_LONGEST: Final = 400
_CONFIDENCE: Final = 0.7

_ASKS: Final = re.compile(
    r"[?？]\s*[”\"」]?$|[吗呢]\s*[。？?]?$|^(?:what|when|where|who|how|why|which|shall|should)\b", re.IGNORECASE
)
_HABIT: Final = re.compile(
    r"\b(?:every|each|always|usually|normally|often|sometimes|rarely|never|whenever|generally)\b"
    r"|每(?:天|周|月|年|次|个|逢|到)|通常|一般|平时|经常|总是|往往|从来|一直",
    re.IGNORECASE,
)
_SUPPOSES: Final = re.compile(r"^(?:if|suppose|imagine|in case)\b|^(?:如果|假如|要是|万一|假设)", re.IGNORECASE)


class LocalEventReader:
    """Dated sentences of users, quoted, with the places and people that they name. Never fails."""

    async def read(self, request: ExtractionRequest) -> Extraction:
        """The events of the request's turns, when they are asked for."""
        if MemoryKind.EVENT not in request.kinds:
            return Extraction(())
        return Extraction(await asyncio.to_thread(_read, request))


def _read(request: ExtractionRequest) -> tuple[Draft, ...]:
    conversation = read(request)
    fresh = [place for place in conversation.places if place.new and place.turn.role is Role.USER]
    return tuple(draft for place in fresh for draft in _events(place, conversation, request.vocabulary))


def _events(place: Place, conversation: Conversation, vocabulary: tuple[str, ...]) -> Iterator[Draft]:
    found = 0
    for sentence in own_sentences(sentences(place.text)[:_MAX_SENTENCES]):
        text = sentence[:_LONGEST]
        times = find_times(text, place.now, place.language) if _may_happen(text) else []
        if times and found < _MAX_EVENTS:
            found += 1
            yield _draft(text, times, place, conversation, vocabulary)


def _may_happen(sentence: str) -> bool:
    return bool(sentence) and not any(rule.search(sentence) for rule in (_ASKS, _HABIT, _SUPPOSES))


def _draft(
    sentence: str, times: list[TimeExpression], place: Place, conversation: Conversation, vocabulary: tuple[str, ...]
) -> Draft:
    told = resolve(sentence, place.now, place.language)
    value = wording.said_in_group(place, told, None) if conversation.group else wording.said(place, told)
    places = find_places(sentence, chinese=place.chinese)
    starts = {found.span.start for found in times}
    return Draft(
        kind=MemoryKind.EVENT,
        key=wording.title(place, clip(sentence, _LONGEST)),
        value=value,
        source_ids=(place.turn.message_id,),
        tags=tags_of(sentence, vocabulary),
        confidence=_CONFIDENCE,
        memory_time=starts.pop() if len(starts) == 1 else None,
        index_text=index_text(place, sentence),
        context_text=context_text(place, conversation),
        details={
            "time": [*dict.fromkeys(label(found.span) for found in times)],
            "location": [*places],
            "roles": [*find_people(sentence, places, speaker=wording.name(place), chinese=place.chinese)],
        },
    )
