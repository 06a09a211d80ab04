"""The bodies and answers of search/memory and rerank."""

from typing import Annotated, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic.config import JsonDict

from memcubed.contract.request import (
    AgentId,
    Count,
    Flag,
    OptionalConversationId,
    Relativity,
    RequestModel,
    Text,
    UserId,
    documented,
    require_owner,
)
from memcubed.errors import EmptyListError, InvalidRequestError, MissingFieldError
from memcubed.filters import FilterBody
from memcubed.knowledge.schemas import BaseIds
from memcubed.memories.model import MemoryKind, MemoryView
from memcubed.memories.schemas import MemoryLists
from memcubed.memories.views import check_views, kinds_of
from memcubed.recall.model import Arm

MAX_LIMIT: Final = 25
DEFAULT_RELATIVITY: Final = 0.45

RecallLimit = Annotated[Count, documented(minimum=0, maximum=MAX_LIMIT)]

_README_QUERY: Final[JsonDict] = {
    "query": "我国庆想出去玩，帮我推荐个没去过的城市，以及没住过的酒店品牌",
    "user_id": "memos_user_123",
    "conversation_id": "0928",
    "memory_limit_number": 6,
    "include_preference": True,
    "preference_limit_number": 6,
}


class SearchRequest(RequestModel):
    """A question to the memories of one user, or one agent."""

    model_config = ConfigDict(json_schema_extra={"examples": [_README_QUERY]})

    query: Text
    user_id: UserId | None = None
    agent_id: AgentId | None = None
    conversation_id: OptionalConversationId = None
    """The conversation at hand: its memories are preferred, others are not left out."""
    memory_limit_number: RecallLimit = 9
    """At most 25 facts."""
    include_preference: Flag = True
    preference_limit_number: RecallLimit = 9
    """At most 25 preferences."""
    relativity: Relativity = DEFAULT_RELATIVITY
    """Leave out what is less relevant than this; 0 turns the threshold off."""
    include_tool_memory: Flag = False
    tool_memory_limit_number: RecallLimit = 6
    """At most 25 tool memories."""
    include_skill: Flag = False
    skill_limit_number: RecallLimit = 6
    """At most 25 skills."""
    include_memory_view: Annotated[list[MemoryView] | None, BeforeValidator(check_views)] = None
    """Which kinds come back; absent: facts, and those that the include_ fields say."""

    filter: FilterBody = None
    """What memories must meet to be found: one condition for all, or one each for `user`, `agent`, `public` and
    `knowledgebase`."""
    knowledgebase_ids: BaseIds = Field(default_factory=list)
    """Knowledge bases to search as well, the project's own or linked to it; `all` for every one of them."""
    context_format: str = "memory"
    """`memory`, which clients of the hosted platform send, is the answer described here. There is no other: the answer
    to another name is the same."""
    arms: list[Arm] | None = None
    """Not of the hosted platform: use only these arms of recall, to see what each does; absent: all."""
    trace: Flag = False
    """Not of the hosted platform: answer with what each arm gave to each result."""

    @field_validator("query")
    @classmethod
    def _not_empty(cls, query: str) -> str:
        if not query.strip():
            raise MissingFieldError("query must not be empty.")
        return query

    @field_validator("memory_limit_number", "preference_limit_number", "tool_memory_limit_number", "skill_limit_number")
    @classmethod
    def _within_limit(cls, number: int, field: ValidationInfo) -> int:
        if not 0 <= number <= MAX_LIMIT:
            raise InvalidRequestError(f"{field.field_name} must be from 0 to {MAX_LIMIT}.")
        return number

    @model_validator(mode="after")
    def _has_an_owner(self) -> Self:
        require_owner(self.user_id, self.agent_id)
        return self

    @property
    def kinds(self) -> frozenset[MemoryKind]:
        """The kinds of memory asked for."""
        if self.include_memory_view is not None:
            return kinds_of(self.include_memory_view)
        views = {
            MemoryView.DETAIL_FACTUAL: True,
            MemoryView.PREFERENCE: self.include_preference,
            MemoryView.TOOL_MEMORY: self.include_tool_memory,
            MemoryView.SKILL: self.include_skill,
        }
        return kinds_of(view for view, is_wanted in views.items() if is_wanted)


class TraceDetail(BaseModel):
    """How a result came by its place. `parts` are what each arm gave; they add up to `score`."""

    id: str
    score: float
    relativity: float
    parts: dict[str, float]


class SearchData(MemoryLists):
    """What was recalled, each list from the most relevant down."""

    trace: list[TraceDetail] | None = None
    """With `trace`: every candidate, returned or not."""


def _check_documents(documents: object) -> object:
    """Name the document that is neither text nor an object with text."""
    if not isinstance(documents, list):
        raise InvalidRequestError("documents must be a list of strings, or of objects with `text`.")
    if not documents:
        raise EmptyListError("documents must hold at least one document.")
    for index, document in enumerate(documents):
        if isinstance(document, dict) and document.get("text") is None:
            raise MissingFieldError(f"documents[{index}].text is required.")
        if not isinstance(document.get("text") if isinstance(document, dict) else document, str):
            raise InvalidRequestError(f"documents[{index}] must be a string, or an object whose `text` is one.")
    return documents


class RerankedDocument(BaseModel):
    """A document as it was sent; what it has beyond its text is left out."""

    text: str


class RerankRequest(RequestModel):
    """A query, and the documents to order by how well they answer it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "query": "What should I wear in Beijing?",
                    "documents": ["The budget was approved.", "Beijing has 7 degrees and clouds today."],
                    "top_n": 1,
                }
            ]
        }
    )

    query: Text
    documents: Annotated[list[str | RerankedDocument], BeforeValidator(_check_documents), documented(minItems=1)]
    """Strings, or objects with `text`."""
    model: str | None = None
    """Accepted for clients that send one; the service's own reranker decides."""
    top_n: Annotated[Count, documented(minimum=1)] | None = None
    """Answer with so many of the best only; absent: all."""

    @field_validator("query")
    @classmethod
    def _not_empty(cls, query: str) -> str:
        if not query.strip():
            raise MissingFieldError("query must not be empty.")
        return query

    @field_validator("top_n")
    @classmethod
    def _positive(cls, number: int | None) -> int | None:
        if number is not None and number < 1:
            raise InvalidRequestError("top_n must be at least 1.")
        return number

    @property
    def texts(self) -> list[str]:
        """The documents' texts, in order."""
        return [document if isinstance(document, str) else document.text for document in self.documents]


class RerankUsage(BaseModel):
    """Estimated tokens."""

    prompt_tokens: int
    total_tokens: int


class RerankResult(BaseModel):
    """A document and its place in the request; `relevance_score` is from 0 to 1."""

    index: int
    document: RerankedDocument
    relevance_score: float


class RerankAnswer(BaseModel):
    """The documents from the best down. `model` is what scored them."""

    id: str
    model: str
    usage: RerankUsage
    results: list[RerankResult]
