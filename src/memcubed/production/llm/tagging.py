"""The tags of a memory: those of the developer's vocabulary that fit, and the model's own."""

from collections.abc import Iterable, Sequence

from memcubed.language.cleaning import printable

MOST_TAGS = 8
_LONGEST_TAG = 32


def choose_tags(proposed: Iterable[str], vocabulary: Sequence[str], text: str, *, banned: str = "") -> tuple[str, ...]:
    """Clean the proposed tags: vocabulary tags in the developer's spelling and first, each once, at most eight.

    A vocabulary tag that stands in `text` (the memory's key and value) fits even when the model did not name it.
    Tags that stand in `banned` (the prompt's example) but not in `text` were copied and are left out.
    """
    canonical = {tag.casefold().strip(): tag for tag in vocabulary}
    chosen: dict[str, str] = {}
    own: dict[str, str] = {}
    for raw in proposed:
        tag = printable(raw).strip(" #,，、;；\"'").strip()[:_LONGEST_TAG]
        folded = tag.casefold()
        if folded in canonical:
            chosen[folded] = canonical[folded]
        elif tag and not (folded in banned.casefold() and folded not in text.casefold()):
            own[folded] = tag
    chosen |= {folded: tag for folded, tag in canonical.items() if len(folded) > 1 and folded in text.casefold()}
    return tuple((chosen | own).values())[:MOST_TAGS]
