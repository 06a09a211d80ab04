"""Feedback as rules understand it."""

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from memcubed.feedback.contradiction import Contradiction, find_contradiction, terms
from memcubed.feedback.correction import Correction, find_correction, without_lead
from memcubed.feedback.forgetting import TOO_VAGUE, find_forgetting, list_meant
from memcubed.feedback.model import Denied, FeedbackRequest, Reading
from memcubed.feedback.replacement import find_replacement
from memcubed.feedback.wording import correction_draft, is_first_person, said_draft
from memcubed.memories.model import MemoryKind, StoredMemory
from memcubed.production.local.smalltalk import is_general_question, is_small_talk
from memcubed.production.model import ExtractionRequest, Extractor

_VERDICT: Final = re.compile(
    r"(?:(?:你|这|这个|这次|刚才)?的?(?:回答|回复|答案|结果|推荐|内容)?(?:说|回答|答|做|写)?得?(?:很|非常|太|真|不太?|还|挺|完全|都|比较)*"
    r"(?:好|对|错|差|棒|准确|满意|有用|有帮助|没用|没有帮助|没帮助|不错|可以|正确|答非所问)(?:了|的|啊|吧)*[，,。！!\s]*)+"
    r"|(?:(?:that(?:'s| is| was)|this is|it'?s|your|the|an?|very|really|so|not|answer|reply|response|was"
    r"|is|were|good|bad|great|wrong|right|correct|incorrect|helpful|unhelpful|useful|useless|terrible|awful|perfect|nice|job|work|well|done"
    r"|i (?:dis)?like(?: it| this| that)?)[\s,.!]*)+",
    re.IGNORECASE,
)

_MOST_VERDICT: Final = 100

NOT_FEEDBACK: Final = "The feedback says nothing that could be remembered or corrected."
_DEFAULT_KINDS: Final = frozenset({MemoryKind.FACT, MemoryKind.EXPLICIT_PREFERENCE})


class LocalReader:
    """Implements FeedbackReader by rules: replacements, corrections of a stated value, and what else the user says."""

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor

    @property
    def name(self) -> str:
        """The rules have no version of their own."""
        return "feedback (local)"

    async def read(self, request: FeedbackRequest) -> Reading:
        """Read one feedback, in a thread where that takes long."""
        text = request.turn.content
        replacement = find_replacement(text)
        if replacement is not None:
            return Reading(replacement=replacement)
        forgotten = read_forgetting(request)
        if forgotten is not None:
            return forgotten
        if says_nothing(text):
            return Reading(nothing_reason=NOT_FEEDBACK)
        correction = find_correction(text)
        if correction is not None:
            return await asyncio.to_thread(read_correction, correction, request)
        asked = ExtractionRequest(
            turns=(request.turn,), context=tuple(request.context), timezone=request.timezone, kinds=_DEFAULT_KINDS
        )
        extraction = await self._extractor.extract(asked)
        return Reading(drafts=extraction.drafts or (said_draft(request),))


def read_forgetting(request: FeedbackRequest) -> Reading | None:
    """The memories that feedback asks to forget; None when it asks for nothing of the kind."""
    what = find_forgetting(request.turn.content)
    if what is None:
        return None
    if not what:
        return Reading(nothing_reason=TOO_VAGUE)
    return Reading(forgotten=tuple(memory.id for memory in list_meant(what, request.known)))


def says_nothing(text: str) -> bool:
    """Whether feedback is small talk, a question, or praise and blame without saying of what."""
    bare = without_lead(text)
    return (
        not terms(bare)
        or is_small_talk(bare)
        or is_general_question(bare)
        or (len(bare) <= _MOST_VERDICT and bool(_VERDICT.fullmatch(bare)))
    )


def read_correction(correction: Correction, request: FeedbackRequest) -> Reading:
    """The corrected statement, and the memories that say what it denies."""
    found = contradicted(correction, request.known)
    kinds = {memory.kind for memory, _ in found}
    only = found[0][0] if len(found) == 1 else None
    draft = correction_draft(
        correction, request, only, is_preference=bool(kinds) and all(k.is_preference for k in kinds)
    )
    return Reading(drafts=(draft,), denied=tuple(Denied(memory.id, verdict.remainder) for memory, verdict in found))


def contradicted(correction: Correction, known: Sequence[StoredMemory]) -> list[tuple[StoredMemory, Contradiction]]:
    """Memories that a correction denies; one in which only the value is the same counts when no other has it."""
    own = [memory for memory in known if memory.speaker is None or not is_first_person(correction.statement)]
    verdicts = [(memory, find_contradiction(correction, memory.key, memory.value)) for memory in own]
    found = [(memory, verdict) for memory, verdict in verdicts if verdict is not None]
    sure = [(memory, verdict) for memory, verdict in found if verdict.is_sure]
    if sure or correction.old == "":
        return sure
    return found if len(found) == 1 else []
