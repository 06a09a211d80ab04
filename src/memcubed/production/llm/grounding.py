"""Memories that the conversation does not support: invented, copied from the prompt, or general knowledge."""

import re

from memcubed.language.detect import detect
from memcubed.production.llm.evidence import Candidate, Evidence
from memcubed.production.llm.persons import names_other_person

# Tuned with Qwen2.5-Coder-1.5B: its right memories share 0.5 and more with what was said, resolved pronouns included.
_LEAST_SHARE = 0.34
# A guess is worded freely; its reasoning has to speak of the conversation.
_LEAST_SHARE_OF_REASONING = 0.2
_LEAST_SHARE_OF_USERS = 0.25
_MOST_FROM_ASSISTANT = 0.35
_LEAST_SHARE_OF_COMMAND = 0.3
_NEARLY_ALL = 0.75
_EXAMPLE_SHARE = 0.6

_SUBJECT = re.compile(r"用户|\buser\b", re.IGNORECASE)
_ASKS = re.compile(
    r"^(?:用户|the user)[^，,。.;；]{0,10}?(?:询问|问了|问起|问到|提问|咨询|想知道|请教"
    r"|\bask(?:s|ed|ing)?\b(?! for\b)|\binquire[sd]?\b|\bwant(?:s|ed)? to know\b|\bwonder(?:s|ed)?\b)",
    re.IGNORECASE,
)
_LEARNS = re.compile(
    r"^(?:用户|the user)[^，,。.;；]{0,10}?(?:得知|了解到|了解了|知道了?"
    r"|\b(?:learn(?:s|ed|t)?|knows?|knew|found out|was told|is aware)\b)",
    re.IGNORECASE,
)


def is_invented(candidate: Candidate, evidence: Evidence) -> bool:
    """Whether too little of a statement occurs in the conversation."""
    return candidate.content.share_in(evidence.said) < _LEAST_SHARE


def is_baseless_guess(candidate: Candidate, evidence: Evidence) -> bool:
    """Whether an implicit preference comes without reasoning, or with reasoning about something else."""
    return candidate.reasons.share_in(evidence.said) < _LEAST_SHARE_OF_REASONING


def copies_example(candidate: Candidate, evidence: Evidence) -> bool:
    """Whether a memory repeats the prompt's example rather than the conversation.

    A guess may be worded like the example's ("affordable hotels", after "affordable furniture") as long as its
    reasoning has words of the conversation that the example has not.
    """
    example, said = evidence.exemplified, evidence.said
    in_example = candidate.content.share_in(example)
    if in_example < _EXAMPLE_SHARE or in_example <= candidate.content.share_in(said):
        return False
    return not candidate.reasons.units & said.without(example).units


def obeys_command(candidate: Candidate, evidence: Evidence) -> bool:
    """Whether what a memory says stands in an instruction rather than in what a user tells of themselves."""
    share = candidate.content.share_in(evidence.ordered)
    return share >= _LEAST_SHARE_OF_COMMAND and share > candidate.content.share_in(evidence.told)


def is_assistants_word(candidate: Candidate, evidence: Evidence) -> bool:
    """Whether much of a statement was said by the assistant alone, such as its answer to a question.

    "The user learned that ..." needs no more than one word of the assistant's for that.
    """
    accepted = candidate.content.share_in(evidence.accepted)
    if _LEARNS.search(candidate.value) and candidate.content.share_in(evidence.said) > accepted:
        return True
    return accepted < _LEAST_SHARE_OF_USERS or draws_on_assistant(candidate, evidence)


def draws_on_assistant(candidate: Candidate, evidence: Evidence) -> bool:
    """Whether a good part of it stands in what the assistant said, and nowhere else."""
    only_assistant = candidate.content.share_in(evidence.said) - candidate.content.share_in(evidence.accepted)
    return only_assistant > _MOST_FROM_ASSISTANT


def is_only_a_question(candidate: Candidate) -> bool:
    """Whether it tells no more than that the user asked something."""
    return _ASKS.search(candidate.value) is not None


def is_about_nobody(candidate: Candidate, evidence: Evidence) -> bool:
    """Whether a statement names no person and is not the user's own words either: general knowledge."""
    value = candidate.value
    if _SUBJECT.search(value) or names_other_person(value) or any(name in value for name in evidence.speakers):
        return False
    return candidate.content.share_in(evidence.said_by_users) < _NEARLY_ALL


def is_in_another_language(candidate: Candidate, evidence: Evidence) -> bool:
    """Whether a memory is in another language than the conversation and than its own sources.

    Such a value cannot be held against what was said, so it is dropped rather than kept unchecked.
    """
    language = detect(candidate.value, evidence.language)
    if language is evidence.language:
        return False
    return all(detect(evidence.turns[label].content, evidence.language) is not language for label in candidate.sources)
