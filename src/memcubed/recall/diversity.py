"""Results that add something to those before them: no near-duplicates, and no single conversation in all places."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from memcubed.recall.ranking import Scored

_ALIKE: Final = 0.9
_COMPARED: Final = 60
_UNCROWDED: Final = 8
"""So many results of one conversation are as good as any; each further one is worth a little less."""

_CROWDING_MALUS: Final = 0.01
# A Chinese character, or a word of any other script: near enough to compare, and a hundred times quicker than tokens.
_WORD: Final = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")


def diversify(scored: Sequence[Scored]) -> list[Scored]:
    """The same results, best first, without those that a better one says already."""
    return _collapse(_uncrowd(scored))


def _uncrowd(scored: Sequence[Scored]) -> list[Scored]:
    seen: Counter[str] = Counter()
    spread = []
    for one in scored:
        conversation = one.candidate.conversation_id
        malus = _CROWDING_MALUS * max(0, seen[conversation] - _UNCROWDED + 1)
        seen[conversation] += 1
        spread.append(replace(one, score=one.score - malus, parts={**one.parts, "crowding": -malus}) if malus else one)
    return sorted(spread, key=lambda one: -one.score)


def _collapse(scored: Sequence[Scored]) -> list[Scored]:
    kept: list[tuple[Scored, frozenset[str], frozenset[str]]] = []
    for one in scored[:_COMPARED]:
        text = _DATE.sub("", one.candidate.value)
        words, numbers = frozenset(_WORD.findall(text.casefold())), frozenset(_NUMBER.findall(text))
        if not any(
            numbers == other_numbers and one.candidate.kind is other.candidate.kind and _alike(words, other_words)
            for other, other_words, other_numbers in kept
        ):
            kept.append((one, words, numbers))
    return [one for one, _, _ in kept] + list(scored[_COMPARED:])


def _alike(words: frozenset[str], others: frozenset[str]) -> bool:
    """Whether two texts have nearly all words in common (Jaccard index)."""
    return len(words & others) >= _ALIKE * max(len(words | others), 1)
