"""Fits a calibration for an embedding model, from pairs of a question and the memory that answers it.

The model's cosine is mapped linearly so that unrelated pairs average 0 and the median match lies where it does for the
model that the ranking's weights were found on; the weights then keep their meaning.
"""

import json
from importlib.resources import files
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memcubed.providers.embeddings import Embedder
from memcubed.recall.model import Calibration

REFERENCE_MATCH: Final = 0.228
"""Median cosine of matching pairs less the mean of unrelated ones, for the local model with both encoders."""

_MOST_GAIN: Final = 10.0
_MOST_NOISE: Final = 0.1
"""The local models have 0.06 and 0.07. A word that only one memory has is worth 0.3, and the nearest of a hundred
unrelated memories is three times the noise away from their middle: more of it would hide that one."""

_STEPS: Final = 100
_RIDGE: Final = 1e-4

Numbers = NDArray[np.float64]


async def fit(embedder: Embedder) -> Calibration:
    """Embed the shipped pairs and fit. Raises ProviderError when the model fails."""
    matches: list[float] = []
    others: list[float] = []
    for pairs in _pairs():
        queries = np.stack([await embedder.embed_query(query) for query, _ in pairs])
        memories = np.stack(await embedder.embed_documents([memory for _, memory in pairs]))
        cosines = queries @ memories.T
        matches += np.diag(cosines).tolist()
        # Within one language every memory but its own is unrelated to a query.
        others += cosines[~np.eye(len(pairs), dtype=bool)].tolist()
    shift = float(np.mean(others))
    # A model that hardly tells matches from strangers is not to blow up what noise it gives.
    gain = REFERENCE_MATCH / max(median(matches) - shift, REFERENCE_MATCH / _MOST_GAIN)
    gain = min(gain, _MOST_NOISE / max(float(np.std(others)), _MOST_NOISE / _MOST_GAIN))
    match, other = gain * (np.array(matches) - shift), gain * (np.array(others) - shift)
    return Calibration(middle=_boundary(match, other), noise=float(other.std()), gain=gain, shift=shift)


def _pairs() -> list[list[tuple[str, str]]]:
    """The shipped pairs, a list a language."""
    text = (files("memcubed.recall") / "data" / "calibration_pairs.json").read_text(encoding="utf-8")
    pairs = json.loads(text)
    return [[(pair[f"query_{language}"], pair[f"memory_{language}"]) for pair in pairs] for language in ("zh", "en")]


def _boundary(positive: Numbers, negative: Numbers) -> float:
    """Where a logistic regression in which both classes weigh the same gives each a half (Newton's method)."""
    x = np.concatenate([positive, negative])
    y = np.concatenate([np.ones(len(positive)), np.zeros(len(negative))])
    weight = np.where(y == 1, 1.0, len(positive) / len(negative))
    slope, offset = 1.0 / max(float(x.std()), 1e-6), 0.0
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(slope * x + offset, -50, 50)))
        curvature = weight * p * (1 - p) + 1e-9
        gradient = np.array([(weight * (p - y) * x).sum() + _RIDGE * slope, (weight * (p - y)).sum()])
        hessian = np.array(
            [[(curvature * x * x).sum() + _RIDGE, (curvature * x).sum()], [(curvature * x).sum(), curvature.sum()]]
        )
        step = np.linalg.solve(hessian, gradient)
        slope, offset = slope - float(step[0]), offset - float(step[1])
        if float(np.abs(step).max()) < 1e-9:  # noqa: PLR2004 - it has converged
            break
    if slope <= 0:  # the model does not tell them apart at all
        return float(positive.mean() + negative.mean()) / 2
    return -offset / slope
