"""From scores to relativity: a number that means the same for every query and that a threshold can be put on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from memcubed.recall.model import Calibration
from memcubed.recall.question import Question
from memcubed.recall.ranking import Scored, is_assistants

_SLOPE: Final = 12.0
_DEFAULT_THRESHOLD: Final = 0.45
_STRICTNESS: Final = 1.1
_UNANSWERED_FACTOR: Final = 0.5
_FAR: Final = 50.0


LOCAL: Final = {
    "local-e5-use-896@1": Calibration(middle=0.081, noise=0.057),
    "local-use-512@1": Calibration(middle=0.091, noise=0.072, gain=1.19),
}
"""Of the local embedding models, as `fit` finds them."""

DEFAULT: Final = LOCAL["local-e5-use-896@1"]
"""For a model that could not be asked yet."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A scored candidate and how relevant it is, from 0 to 1."""

    scored: Scored
    relativity: float


def relativities(ranked: Sequence[Scored], question: Question, calibration: Calibration, *, size: int) -> list[Ranked]:
    """The same order with the relativity of each: one growing function of the score for all results of a query.

    A question for a fact whose best memory is no nearer than the nearest of `size` unrelated ones would be by chance
    is taken for one that the memories do not answer, and every relativity is halved. Requests for advice are not:
    anything related is welcome there.
    """
    factor = _UNANSWERED_FACTOR if _is_unanswered(ranked, question, calibration, size) else 1.0
    return [Ranked(one, round(factor * relativity(one.score, calibration), 4)) for one in ranked]


def relativity(score: float, calibration: Calibration) -> float:
    """How relevant a score of cosine and words says that something is, from 0 to 1."""
    offset = math.log(_DEFAULT_THRESHOLD / (1 - _DEFAULT_THRESHOLD))
    return _logistic(_SLOPE * (score - calibration.middle) + offset)


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-max(min(x, _FAR), -_FAR)))


def _is_unanswered(ranked: Sequence[Scored], question: Question, calibration: Calibration, size: int) -> bool:
    if question.is_request:
        return False
    relevant = [one.own for one in ranked if question.asks_assistant or not is_assistants(one.candidate)]
    by_chance = calibration.noise * math.sqrt(2 * math.log(max(size, 2)))
    return max(relevant, default=0.0) < _STRICTNESS * by_chance
