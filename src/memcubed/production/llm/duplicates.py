"""Memories that say again what another one says."""

from collections.abc import Iterable

from memcubed.language.cleaning import normalised
from memcubed.production.llm.wording import negations, numbers, wording

# High, because an update differs in a word (chose 全季, no longer 七天) and must not be taken for a repetition.
_SAME = 0.9


def says_the_same(new: str, old: str) -> bool:
    """Whether `new` adds nothing to `old`.

    Nearly all of its content is in `old`, and neither its numbers nor how often it negates differ.
    """
    if _plain(new) == _plain(old):
        return True
    if not numbers(new) <= numbers(old) or negations(new) != negations(old):
        return False
    return wording(new, framed=True).share_in(wording(old)) >= _SAME


def repeats_any(new: str, others: Iterable[str]) -> bool:
    """Whether `new` adds nothing to one of the others."""
    return any(says_the_same(new, other) for other in others)


def _plain(text: str) -> str:
    return "".join(char for char in normalised(text).casefold() if char.isalnum())
