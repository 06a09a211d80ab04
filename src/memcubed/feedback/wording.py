"""How what feedback says is written down."""

import re
from typing import Final

from memcubed.feedback.contradiction import quoted, terms
from memcubed.feedback.correction import Correction, without_lead
from memcubed.feedback.model import FeedbackRequest
from memcubed.feedback.replacement import Replacement
from memcubed.language.cleaning import printable
from memcubed.language.detect import has_han
from memcubed.language.sentences import clip
from memcubed.language.tags import keywords
from memcubed.memories.model import MemoryKind, StoredMemory
from memcubed.production.model import Draft

_KEY: Final = 40
_MOST: Final = 1000
_OTHER_PERSONS: Final = re.compile(r"我们|咱|俺|你|您")
_FIRST_PERSON: Final = re.compile(r"\b(?:I|me|my|mine|we|us|our|ours|you|your|yours)\b|\bI'", re.IGNORECASE)


def correction_draft(
    correction: Correction, request: FeedbackRequest, only: StoredMemory | None, *, is_preference: bool
) -> Draft:
    """The corrected statement as a memory. `only` is the one memory that it denies, which an elliptic one leans on."""
    statement = printable(correction.statement).strip()
    if not set(terms(statement)) - set(terms(correction.new)):
        statement = _leaning(correction, only) or ""
    if not statement:
        return said_draft(request)
    value, key = _third_person(statement, request), statement
    return _draft(request, key, value, statement, is_preference=is_preference)


def said_draft(request: FeedbackRequest) -> Draft:
    """Feedback as it was said, quoted with its day."""
    said = without_lead(request.turn.content) or request.turn.content.strip()
    return _draft(request, said, _quote(clip(said, _MOST), request), said, is_preference=False)


def read_draft(request: FeedbackRequest, statement: str, *, is_preference: bool) -> Draft:
    """A corrected statement that a language model worded."""
    return _draft(request, statement, statement, statement, is_preference=is_preference)


def is_first_person(statement: str) -> bool:
    """Whether a statement is about the one who makes it."""
    return "我" in statement or _FIRST_PERSON.search(statement) is not None


def day(request: FeedbackRequest) -> str:
    """The local day of the feedback."""
    return f"{request.turn.chat_time.astimezone(request.timezone):%Y-%m-%d}"


def _draft(request: FeedbackRequest, key: str, value: str, statement: str, *, is_preference: bool) -> Draft:
    said = " ".join(printable(request.turn.content).split())
    return Draft(
        kind=MemoryKind.EXPLICIT_PREFERENCE if is_preference else MemoryKind.FACT,
        key=clip(key, _KEY),
        value=value,
        source_ids=(request.turn.message_id,),
        tags=keywords(statement),
        reasoning=_quote(clip(said, _MOST), request) if is_preference else "",
        index_text=statement,
    )


def _leaning(correction: Correction, memory: StoredMemory | None) -> str | None:
    """The denied memory's own words with the new value, for "no, 600 and not 800"."""
    if memory is None or not correction.old or not correction.new:
        return None
    old = quoted(memory.value)
    new = Replacement(correction.old, correction.new).apply(old)
    return None if new == old else new


def _third_person(statement: str, request: FeedbackRequest) -> str:
    if has_han(statement):
        if _OTHER_PERSONS.search(statement):
            return _quote(statement, request)
        return f"{statement.rstrip('。.!！').replace('我', '用户')}（用户于{day(request)}更正）。"
    if _FIRST_PERSON.search(statement):
        return _quote(statement, request)
    return f"{statement[0].upper()}{statement[1:].rstrip('.!')} (corrected by the user on {day(request)})."


def _quote(text: str, request: FeedbackRequest) -> str:
    if has_han(text):
        return f"用户在{day(request)}更正：“{text}”"
    return f'On {day(request)} the user corrected: "{text}"'
