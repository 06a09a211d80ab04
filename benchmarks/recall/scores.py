"""What a run is worth: the measures and the tables' cells."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Final

from benchmarks.recall.model import Answered, Result

BUDGETS: Final = (250, 500, 1000, 2000)
DIALOGUE_BUDGET: Final = 500
_CARRIED: Final = 0.6
_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_WORD: Final = re.compile(r"[a-z0-9]+")


def evidence_recall(
    answered: Answered, budget: float, cost: Callable[[str], float], texts: Mapping[tuple[str, str], str]
) -> float:
    """The share of the evidence that is found within the budget, in the order of the results.

    A message counts when it is a source of a memory within the budget whose text carries what the message says.
    """
    found: set[str] = set()
    spent = 0.0
    for result in answered.results:
        spent += cost(result.text)
        if spent > budget:
            break
        found |= {
            label
            for label in result.labels & answered.question.evidence
            if carries(result.text, texts[answered.question.user_id, label])
        }
    return len(found) / len(answered.question.evidence)


def carries(text: str, message: str) -> bool:
    """Whether most of the message's words stand in the text."""
    wanted = units(message)
    return not wanted or len(wanted & units(text)) >= _CARRIED * len(wanted)


def units(text: str) -> set[str]:
    """The text's words, and the pairs of its Chinese characters."""
    lowered = text.lower()
    han = _HAN.findall(lowered)
    return set(_WORD.findall(lowered)) | {a + b for a, b in pairwise(han)}


def latin_cost(text: str) -> float:
    """Tokens of an English text: a fourth of its characters."""
    return len(text) / 4


def mixed_cost(text: str) -> float:
    """Tokens of a text: one a Chinese character, a fourth for each other one."""
    han = len(_HAN.findall(text))
    return han + (len(text) - han) / 4


def first_rank(answered: Answered) -> int | None:
    """The place of the first result made from evidence, counting each source message once."""
    seen: list[frozenset[str]] = []
    for result in answered.results:
        if result.labels and result.labels not in seen:
            seen.append(result.labels)
        if result.labels & answered.question.evidence:
            return len(seen)
    return None


def hit_rate(answered: Iterable[Answered], within: int) -> float:
    """The share of questions whose first right result is among the first few."""
    ranks = [first_rank(one) for one in answered]
    return mean([float(rank is not None and rank <= within) for rank in ranks])


def reciprocal_rank(answered: Iterable[Answered]) -> float:
    """Mean reciprocal rank."""
    ranks = [first_rank(one) for one in answered]
    return mean([0.0 if rank is None else 1 / rank for rank in ranks])


def right_first(answered: Iterable[Answered]) -> float:
    """The share of questions whose very first result is made from evidence."""
    return mean([float(bool(one.results) and bool(one.results[0].labels & one.question.evidence)) for one in answered])


def mean(values: Sequence[float]) -> float:
    """Their mean; not a number when there are none."""
    return fmean(values) if values else float("nan")


def is_noise(result: Result) -> bool:
    """Whether it was made from a distractor."""
    return any(label.startswith("noise") for label in result.labels)
