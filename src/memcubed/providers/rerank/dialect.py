"""The two ways in which servers speak the `/rerank` protocol.

Cohere (https://docs.cohere.com/reference/rerank), Jina (https://api.jina.ai/redoc) and vLLM take `documents` and answer
`{"results": [{"index", "relevance_score"}]}`. Text Embeddings Inference (https://huggingface.github.io/text-embeddings-inference)
takes `texts` and answers `[{"index", "score"}]`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import AliasChoices, BaseModel, Field, FiniteFloat, JsonValue, TypeAdapter

_REFUSED: Final = frozenset({400, 422})
# The field that is missing is named in quotes: "missing field `texts`".
_WANTS_TEXTS: Final = re.compile(r"[`'\"]texts[`'\"]")
_KNOWS_NO_RETURN: Final = re.compile(r"\breturn_documents\b")
_TEXTS_BATCH: Final = 32
"""The most texts that Text Embeddings Inference takes in a call unless told otherwise (--max-client-batch-size)."""


class Entry(BaseModel):
    """The score of one document of a call, as the model gave it."""

    index: int
    score: FiniteFloat = Field(validation_alias=AliasChoices("relevance_score", "score"))


class _Results(BaseModel):
    results: list[Entry]


_ANSWER: Final[TypeAdapter[_Results | list[Entry]]] = TypeAdapter(_Results | list[Entry])


@dataclass(frozen=True, slots=True)
class Dialect:
    """What an endpoint is known to want."""

    takes_texts: bool = False
    knows_return_documents: bool = True

    @property
    def batch_size(self) -> int | None:
        """How many documents go into one call; None: all."""
        return _TEXTS_BATCH if self.takes_texts else None

    def body(self, model: str | None, query: str, documents: Sequence[str]) -> dict[str, JsonValue]:
        """The body of a call."""
        named: dict[str, JsonValue] = {} if model is None else {"model": model}
        if self.takes_texts:
            return {**named, "query": query, "texts": list(documents), "truncate": True}
        body: dict[str, JsonValue] = {**named, "query": query, "documents": list(documents), "top_n": len(documents)}
        return {**body, "return_documents": False} if self.knows_return_documents else body

    def after_refusal(self, status: int, refusal: str) -> "Dialect | None":
        """What the endpoint may want instead, going by the words of its refusal; None when they say nothing new."""
        if status not in _REFUSED:
            return None
        if not self.takes_texts and _WANTS_TEXTS.search(refusal):
            return replace(self, takes_texts=True)
        if not self.takes_texts and self.knows_return_documents and _KNOWS_NO_RETURN.search(refusal):
            return replace(self, knows_return_documents=False)
        return None


def read_entries(body: bytes) -> list[Entry]:
    """The entries of an answer in either form. Raises ValueError (pydantic's) when it is neither."""
    answer = _ANSWER.validate_json(body)
    return answer.results if isinstance(answer, _Results) else answer
