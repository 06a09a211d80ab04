"""The extractor that asks a language model, and believes of its answer only what the conversation supports."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from memcubed.language.detect import Language, detect
from memcubed.messages.model import Role, Turn
from memcubed.production.llm.answer import ExtractedMemories
from memcubed.production.llm.evidence import Evidence
from memcubed.production.llm.prompt import label_turns, load_prompt, render_data
from memcubed.production.llm.review import DropReason, review
from memcubed.production.llm.small_talk import has_something_to_read, holds_only_files
from memcubed.production.llm.subjects import about_its_speaker
from memcubed.production.llm.windows import Window, cut_windows, halve
from memcubed.production.model import STATED_KINDS, Draft, Extraction, ExtractionRequest, characters_by_kind
from memcubed.providers.llm.protocol import LanguageModel, TooLongForModelError
from memcubed.providers.llm.untrusted import new_nonce
from memcubed.usage.model import Usage

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Tally:
    """What a request came to so far."""

    drafts: list[Draft] = field(default_factory=list)
    dropped: Counter[DropReason] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)


class LlmExtractor:
    """Implements Extractor.

    A conversation longer than `window_tokens` is read in several calls, one after the other, each shown the end of the
    one before (`overlap_tokens`) and what was found so far. When an answer does not fit `max_answer_tokens`, its window
    is halved. Conversations of small talk, or in which no user speaks, cost no call.
    Raises ProviderError when the model fails; then nothing of the request is kept, and it can be tried again whole.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        window_tokens: int = 3000,
        overlap_tokens: int = 400,
        max_answer_tokens: int = 1500,
        new_nonce: Callable[[], str] = new_nonce,
    ) -> None:
        self._model = model
        self._window_tokens = window_tokens
        self._overlap_tokens = overlap_tokens
        self._max_answer_tokens = max_answer_tokens
        self._new_nonce = new_nonce

    @property
    def name(self) -> str:
        """Name the model behind it."""
        return f"llm ({self._model.name})"

    @property
    def uses_model(self) -> bool:
        """It waits for the model, and makes use of known memories."""
        return True

    async def extract(self, request: ExtractionRequest) -> Extraction:
        """Read the request's turns once."""
        if not request.kinds & STATED_KINDS:
            return Extraction((), "neither facts nor preferences were asked for")
        if not any(turn.role is Role.USER for turn in request.turns):
            return Extraction((), "no user says anything in these messages")
        if not has_something_to_read(request.turns):
            what = "images and files" if holds_only_files(request.turns) else "small talk"
            return Extraction((), f"the messages hold only {what}")
        language = _language_of(request.turns)
        windows = cut_windows(request.turns, window_tokens=self._window_tokens, overlap_tokens=self._overlap_tokens)
        tally = _Tally()
        # In order, not side by side: each window is shown what the earlier ones gave, so that it is not found twice.
        while windows:
            window = windows.pop(0)
            if not has_something_to_read(window.turns):
                continue
            try:
                await self._read(window, request, language, tally)
            except TooLongForModelError:
                halves = halve(window)
                if halves is None:
                    raise
                windows[:0] = halves
        _log.info(
            "llm_extraction",
            model=self._model.name,
            prompt=load_prompt(language).version,
            kept=len(tally.drafts),
            dropped=dict(tally.dropped),
        )
        return Extraction(tuple(tally.drafts), _nothing_reason(tally), tally.usage)

    async def _read(self, window: Window, request: ExtractionRequest, language: Language, tally: _Tally) -> None:
        prompt = load_prompt(language)
        known = [*(draft.value for draft in tally.drafts), *(memory.value for memory in request.known)]
        # Reading a window's dates and judging its memories takes tens of milliseconds: too long for the event loop.
        user = await asyncio.to_thread(render_data, window, request, language, nonce=self._new_nonce(), known=known)
        completion = await self._model.complete_json(
            system=prompt.system, user=user, answer=ExtractedMemories, max_tokens=self._max_answer_tokens
        )
        tally.usage += Usage(completion.calls, completion.input_tokens, completion.output_tokens)
        labels = label_turns(window)
        evidence = Evidence(
            turns=labels,
            new=frozenset(list(labels)[len(window.overlap) :]),
            language=language,
            timezone=request.timezone,
            context=request.context,
            example=prompt.example,
        )
        kept = len(tally.drafts)
        await asyncio.to_thread(_judge, completion.answer, evidence, request, tally)
        completion.credit(characters_by_kind(tally.drafts[kept:]))


def _judge(answer: ExtractedMemories, evidence: Evidence, request: ExtractionRequest, tally: _Tally) -> None:
    for proposed in answer.memories:
        verdict = review(proposed, evidence, request, earlier=tally.drafts)
        draft = None if verdict.draft is None else about_its_speaker(verdict.draft, request)
        if draft is not None and draft.kind in request.kinds:
            tally.drafts.append(draft)
        else:
            tally.dropped[verdict.reason or DropReason.OTHER_PERSON] += 1


def _language_of(turns: tuple[Turn, ...]) -> Language:
    return detect("\n".join(turn.content for turn in turns if turn.role is Role.USER))


def _nothing_reason(tally: _Tally) -> str | None:
    if tally.drafts:
        return None
    if not tally.dropped:
        return "the model found nothing worth remembering"
    why = ", ".join(f"{count} {reason.value}" for reason, count in tally.dropped.most_common())
    return f"nothing that the model proposed could be kept: {why}"
