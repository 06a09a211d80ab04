"""The judgement over what the model proposed: which memories become drafts, and why the others do not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from memcubed.language.dates import without_times
from memcubed.language.sentences import clip
from memcubed.memories.model import MemoryKind
from memcubed.production.llm.answer import ProposedMemory
from memcubed.production.llm.attribution import find_sources
from memcubed.production.llm.drafting import KEY_CHARACTERS, build_draft, clean
from memcubed.production.llm.duplicates import repeats_any
from memcubed.production.llm.evidence import Candidate, Evidence
from memcubed.production.llm.grounding import (
    copies_example,
    draws_on_assistant,
    is_about_nobody,
    is_assistants_word,
    is_baseless_guess,
    is_in_another_language,
    is_invented,
    is_only_a_question,
    obeys_command,
)
from memcubed.production.llm.options import claims_unchosen_option
from memcubed.production.llm.persons import is_said_of_another
from memcubed.production.model import Draft, ExtractionRequest

# For endpoints that take no bounds in the schema.
_VALUE_CHARACTERS = 1000


class DropReason(StrEnum):
    """Why a proposed memory is not kept, in words that the task's receipt shows."""

    EMPTY = "empty"
    KIND = "of a kind that was not asked for"
    NO_SOURCE = "not from a user's turn"
    LANGUAGE = "in another language than the conversation"
    EXAMPLE = "copied from the prompt's example"
    COMMAND = "following an instruction in a message"
    INVENTED = "not supported by the conversation"
    QUESTION = "only that the user asked something"
    NOBODY = "about no person of the conversation"
    ASSISTANT = "said by the assistant, not by the user"
    OPTION = "an option that the user did not choose"
    OTHER_PERSON = "true of somebody else"
    BASELESS = "a guess without evidence"
    KNOWN = "already known"
    REPEATED = "a repetition"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one proposed memory: exactly one of the two is set."""

    draft: Draft | None
    reason: DropReason | None


Rule = tuple[DropReason, Callable[[Candidate, Evidence], bool]]

_ALWAYS: tuple[Rule, ...] = (
    (DropReason.LANGUAGE, is_in_another_language),
    (DropReason.EXAMPLE, copies_example),
    (DropReason.COMMAND, obeys_command),
)
_STATEMENT: tuple[Rule, ...] = (
    (DropReason.INVENTED, is_invented),
    (DropReason.QUESTION, lambda candidate, _: is_only_a_question(candidate)),
    (DropReason.NOBODY, is_about_nobody),
    (DropReason.OPTION, claims_unchosen_option),
    (DropReason.ASSISTANT, is_assistants_word),
    (DropReason.OTHER_PERSON, is_said_of_another),
)
_GUESS: tuple[Rule, ...] = (
    (DropReason.BASELESS, is_baseless_guess),
    (DropReason.ASSISTANT, draws_on_assistant),
    (DropReason.OPTION, claims_unchosen_option),
)


def review(
    proposed: ProposedMemory, evidence: Evidence, request: ExtractionRequest, *, earlier: Sequence[Draft] = ()
) -> Verdict:
    """Judge one memory; `earlier` are the drafts that are kept already."""
    candidate = _place(proposed, evidence, request)
    if isinstance(candidate, DropReason):
        return Verdict(None, candidate)
    guess = proposed.kind is MemoryKind.IMPLICIT_PREFERENCE
    for reason, breaks in (*_ALWAYS, *(_GUESS if guess else _STATEMENT)):
        if breaks(candidate, evidence):
            return Verdict(None, reason)
    if repeats_any(candidate.value, (known.value for known in request.known)):
        return Verdict(None, DropReason.KNOWN)
    if repeats_any(candidate.value, (draft.value for draft in earlier)):
        return Verdict(None, DropReason.REPEATED)
    return Verdict(build_draft(proposed, candidate, evidence, request.vocabulary), None)


def _place(proposed: ProposedMemory, evidence: Evidence, request: ExtractionRequest) -> Candidate | DropReason:
    """Clean a memory's text and find the turns that it comes from."""
    value = clip(clean(proposed.value), _VALUE_CHARACTERS)
    if not value:
        return DropReason.EMPTY
    if proposed.kind not in request.kinds:
        return DropReason.KIND
    unplaced = Candidate(
        key=clean(proposed.key)[:KEY_CHARACTERS],
        value=value,
        reasoning=clip(clean(proposed.reasoning), _VALUE_CHARACTERS),
        sources=(),
        timeless=without_times(value, evidence.last_said),
    )
    guess = proposed.kind is MemoryKind.IMPLICIT_PREFERENCE
    sources = find_sources(proposed.sources, unplaced.reasons if guess else unplaced.content, evidence)
    return replace(unplaced, sources=sources) if sources else DropReason.NO_SOURCE
