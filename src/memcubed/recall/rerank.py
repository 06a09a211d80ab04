"""Documents of the caller's, scored for a query: by the configured reranker, else as memories are."""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import uuid4

import numpy as np
import structlog

from memcubed.errors import (
    InputTooLongError,
    InvalidRequestError,
    ProviderError,
    RequestTooLargeError,
    SearchUnavailableError,
)
from memcubed.language.tokens import estimate_tokens
from memcubed.language.words import query_tokens, tokens
from memcubed.projects.input_limit import InputLimit
from memcubed.projects.model import Project
from memcubed.providers.embeddings import Embedder
from memcubed.providers.rerank import Reranker
from memcubed.recall.calibration import relativity
from memcubed.recall.calibrations import CalibrationService
from memcubed.recall.ranking import LEXICAL_SHRINK, Weights
from memcubed.recall.schemas import RerankAnswer, RerankedDocument, RerankRequest, RerankResult, RerankUsage

_K1: Final = 1.2
_B: Final = 0.75
_DIGITS: Final = 4

log = structlog.get_logger(__name__)


class DocumentScorer(Protocol):
    """Says how well documents answer a query."""

    @property
    def name(self) -> str:
        """What answers call it: the model's name."""
        ...

    async def score(self, query: str, documents: Sequence[str]) -> list[float]:
        """One score from 0 to 1 a document, in order. Raises ProviderError when the model behind it fails."""
        ...


@dataclass(frozen=True, slots=True)
class ModelScorer:
    """Implements DocumentScorer by a reranker."""

    reranker: Reranker
    name: str

    async def score(self, query: str, documents: Sequence[str]) -> list[float]:
        """The reranker's scores."""
        return await self.reranker.score(query, documents)


class LocalScorer:
    """Implements DocumentScorer as recall scores memories: vectors and words, calibrated to relativity."""

    def __init__(self, embedder: Embedder, calibrations: CalibrationService) -> None:
        self._embedder = embedder
        self._calibrations = calibrations

    @property
    def name(self) -> str:
        """The vector space in use. Raises ProviderError when the endpoint could not name it yet."""
        return self._embedder.space

    async def score(self, query: str, documents: Sequence[str]) -> list[float]:
        """The relativity of each document; 0 for those that say nothing."""
        asked = await self._embedder.embed_query(query)
        vectors = await self._embedder.embed_documents(documents)
        words = await asyncio.to_thread(lexical_scores, query, documents)
        calibration = self._calibrations.current()
        weights = Weights().calibrated(calibration)
        return [
            relativity(
                weights.vectors * (float(np.dot(vector, asked)) - weights.vector_shift) + weights.words * word,
                calibration,
            )
            if document.strip()
            else 0.0
            for document, vector, word in zip(documents, vectors, words, strict=True)
        ]


class RerankService:
    """Orders documents by a scorer, within limits."""

    def __init__(self, scorer: DocumentScorer, input_limit: InputLimit, *, max_tokens: int, max_documents: int) -> None:
        self._scorer = scorer
        self._input_limit = input_limit
        self._max_tokens = max_tokens
        self._max_documents = max_documents

    async def rerank(self, project: Project, request: RerankRequest) -> RerankAnswer:
        """The documents, the best first. Raises SearchUnavailableError when the model does not answer."""
        texts = request.texts
        total = self._checked_length(request.query, texts)
        await self._input_limit.take(project.id, total)
        try:
            scores = await self._scorer.score(request.query, texts)
            model = self._scorer.name
        except ProviderError as error:
            log.warning("documents_not_reranked", reason=error.message)
            raise SearchUnavailableError(f"The documents could not be scored: {error.message}; try again.") from error
        # sorted is stable: between equals, the order of the request stays
        order = sorted(range(len(texts)), key=lambda index: -scores[index])[: request.top_n]
        return RerankAnswer(
            id=str(uuid4()),
            model=model,
            usage=RerankUsage(prompt_tokens=total, total_tokens=total),
            results=[
                RerankResult(
                    index=index,
                    document=RerankedDocument(text=texts[index]),
                    relevance_score=round(scores[index], _DIGITS),
                )
                for index in order
            ],
        )

    def _checked_length(self, query: str, texts: Sequence[str]) -> int:
        """The tokens of all inputs. Raises the errors of those that are too many or too long."""
        if len(texts) > self._max_documents:
            raise InvalidRequestError(f"documents has {len(texts)} entries; at most {self._max_documents} are allowed.")
        names = ["query", *(f"documents[{index}]" for index in range(len(texts)))]
        lengths = [estimate_tokens(text) for text in (query, *texts)]
        for name, length in zip(names, lengths, strict=True):
            if length > self._max_tokens:
                raise InputTooLongError(f"{name} has about {length} tokens; at most {self._max_tokens} are allowed.")
        total = sum(lengths)
        if total > self._max_tokens:
            raise RequestTooLargeError(
                f"query and documents have about {total} tokens together; at most {self._max_tokens} are allowed."
            )
        return total


def lexical_scores(query: str, documents: Sequence[str]) -> list[float]:
    """The BM25 of each document as a share of the most that the query allows: `recall.sql`'s, over these documents."""
    terms = query_tokens(query)
    counts = [Counter(tokens(document)) for document in documents]
    lengths = [sum(count.values()) for count in counts]
    average = max(sum(lengths) / len(lengths), 1.0) if lengths else 1.0
    size = len(documents)
    idf = {}
    for term in terms:
        holding = sum(term in count for count in counts)
        idf[term] = math.log(1 + (size - holding + 0.5) / (holding + 0.5))
    most = LEXICAL_SHRINK + (_K1 + 1) * sum(idf.values())
    return [
        sum(
            (_K1 + 1) * idf[term] * count[term] / (count[term] + _K1 * (1 - _B + _B * length / average))
            for term in terms
            if term in count
        )
        / most
        for count, length in zip(counts, lengths, strict=True)
    ]
