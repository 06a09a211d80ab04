"""The extractor that is used when no language model is configured."""

import asyncio
from uuid import UUID

from memcubed.memories.model import MemoryKind
from memcubed.messages.model import Role
from memcubed.production.local.exchanges import Conversation, Place, read
from memcubed.production.local.facts import (
    Taken,
    corrects_itself,
    group_facts,
    is_brief,
    reply_facts,
    taken_of,
    user_facts,
)
from memcubed.production.local.preferences import implied_preference, stated_preferences
from memcubed.production.model import Draft, Extraction, ExtractionRequest


class LocalExtractor:
    """Facts as dated quotes, stated preferences, and hints from choices. Deterministic; never raises."""

    @property
    def name(self) -> str:
        """Return what the start-up log and /health show."""
        return "local"

    @property
    def uses_model(self) -> bool:
        """Rules answer at once."""
        return False

    async def extract(self, request: ExtractionRequest) -> Extraction:
        """Read the request's turns, in a thread: some milliseconds a turn."""
        return await asyncio.to_thread(_extract, request)


def _extract(request: ExtractionRequest) -> Extraction:
    conversation = read(request)
    fresh = [place for place in conversation.places if place.new]
    if not fresh:
        return Extraction((), "There are no messages of a user or an assistant to read.")
    drafts: list[Draft] = []
    for place in fresh:
        drafts.extend(_drafts(place, conversation, request.vocabulary))
    if not drafts:
        return Extraction((), "Only small talk or general questions: nothing about the user to remember.")
    whole = _without_quoted(drafts, fresh)
    asked = tuple(draft for draft in _distinct(whole, request) if draft.kind in request.kinds)
    if asked:
        return Extraction(asked)
    if not any(draft.kind in request.kinds for draft in drafts):
        return Extraction((), "Nothing of the kinds that were asked for was said.")
    return Extraction((), "All that was said is already remembered.")


def _drafts(place: Place, conversation: Conversation, vocabulary: tuple[str, ...]) -> list[Draft]:
    if conversation.group:
        if place.turn.role is Role.ASSISTANT and not place.turn.speaker:
            return reply_facts(place, conversation, vocabulary)
        facts = group_facts(place, conversation, vocabulary)
        return facts + stated_preferences(place, conversation, vocabulary) if facts else []
    if place.turn.role is Role.ASSISTANT:
        return reply_facts(place, conversation, vocabulary)
    drafts = user_facts(place, conversation, vocabulary)
    drafts += stated_preferences(place, conversation, vocabulary)
    taken: Taken | None = taken_of(place, conversation)
    implied = implied_preference(place, conversation, taken, vocabulary) if taken else None
    return [*drafts, implied] if implied else drafts


def _without_quoted(drafts: list[Draft], fresh: list[Place]) -> list[Draft]:
    """Leave out the fact of a user's turn that another fact quotes whole: a question before a choice, a slip corrected.

    A longer statement stays a fact of its own: what follows it may be no more than a word.
    """
    joined = [draft for draft in drafts if draft.kind is MemoryKind.FACT and len(draft.source_ids) > 1]
    correcting = {place.turn.message_id for place in fresh if corrects_itself(place)}
    corrected = {id_ for draft in joined if correcting.intersection(draft.source_ids) for id_ in draft.source_ids}
    quoted = {
        place.turn.message_id
        for place in fresh
        if place.turn.role is Role.USER
        and (place.turn.message_id in corrected or is_brief(place) or "?" in place.text or "？" in place.text)
        and any(place.turn.message_id in d.source_ids and " ".join(place.dated.split()) in d.value for d in joined)
    }
    return [
        draft
        for draft in drafts
        if draft.kind is not MemoryKind.FACT or len(draft.source_ids) > 1 or draft.source_ids[0] not in quoted
    ]


def _distinct(drafts: list[Draft], request: ExtractionRequest) -> list[Draft]:
    """Leave out what the cube already holds word for word, and repeats within the request."""
    seen: set[tuple[MemoryKind, str]] = {(known.kind, known.value) for known in request.known}
    kept: list[Draft] = []
    sources: frozenset[UUID] = frozenset(turn.message_id for turn in request.turns)
    for draft in drafts:
        mark = (draft.kind, draft.value)
        if mark not in seen and sources.issuperset(draft.source_ids):
            seen.add(mark)
            kept.append(draft)
    return kept
