"""The mean vector of each language, which is subtracted from every vector.

Sentence vectors of one language share a large common part, which says only that they are in that language. Without it,
a question in one language finds its memory in the other (see docs/adr/0002-local-embeddings.md). The means are
computed from the generic sentences in `data/` by `fit_means`, and are part of the version of the vector space.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from importlib.resources.abc import Traversable

import numpy as np

from memcubed.providers.embeddings.safe_text import MeanLanguage
from memcubed.providers.embeddings.unit import Rows

DATA = files("memcubed.providers.embeddings") / "data"
FILE = "means.npz"


class MeanOf(StrEnum):
    """Whose vectors a mean was taken over: a model's, of questions as queries or of statements as passages."""

    E5_QUERY = "e5_query"
    E5_PASSAGE = "e5_passage"
    USE_QUERY = "use_query"
    USE_PASSAGE = "use_passage"

    @property
    def of_questions(self) -> bool:
        """Whether it is taken over the generic questions; else over the statements."""
        return self in {MeanOf.E5_QUERY, MeanOf.USE_QUERY}


@dataclass(frozen=True, slots=True)
class Means:
    """One vector of float32 for each model side and language.

    `version` names them all in the name of the vector space, `sentences` is the digest of what they were taken over.
    """

    version: int
    sentences: str
    vectors: dict[tuple[MeanOf, MeanLanguage], Rows]

    def subtract(self, rows: Rows, of: MeanOf, languages: list[MeanLanguage]) -> Rows:
        """Return the rows, each without the mean of its language."""
        return rows - np.stack([self.vectors[of, language] for language in languages])


def generic_sentences(language: MeanLanguage, *, questions: bool) -> list[str]:
    """Return the sentences that a mean of a language is taken over."""
    text = (DATA / f"{'questions' if questions else 'statements'}_{language}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line]


def sentences_digest() -> str:
    """Return the SHA-256 of the generic sentences of all languages."""
    text = "\n".join(
        sentence
        for language in MeanLanguage
        for questions in (False, True)
        for sentence in generic_sentences(language, questions=questions)
    )
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def read_means(folder: Traversable = DATA) -> Means:
    """Read the means that ship with the package."""
    with (folder / FILE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        vectors = {(of, language): arrays[f"{of}_{language}"] for of in MeanOf for language in MeanLanguage}
        return Means(int(arrays["version"]), str(arrays["sentences"]), vectors)
