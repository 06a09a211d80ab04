"""The body and answer of search/memory."""

from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.config import JsonDict

from memcubed.contract.request import AgentId, Count, Flag, OptionalConversationId, Relativity, RequestModel, UserId
from memcubed.errors import InvalidRequestError, MissingFieldError
from memcubed.memories.model import MemoryKind, MemoryLayer, MemoryStatus, MemoryView
from memcubed.memories.views import check_views
from memcubed.messages.model import Role
from memcubed.recall.model import Arm

MAX_LIMIT: Final = 25
DEFAULT_RELATIVITY: Final = 0.45

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

    query: str
    user_id: UserId | None = None
    agent_id: AgentId | None = None
    conversation_id: OptionalConversationId = None
    """The conversation at hand: its memories are preferred, others are not left out."""
    memory_limit_number: Count = 9
    """At most 25 facts."""
    include_preference: Flag = True
    preference_limit_number: Count = 9
    """At most 25 preferences."""
    relativity: Relativity = DEFAULT_RELATIVITY
    """Leave out what is less relevant than this; 0 turns the threshold off."""
    include_memory_view: Annotated[list[MemoryView] | None, BeforeValidator(check_views)] = None
    """Which kinds come back; absent: facts, and preferences unless include_preference is false."""

    filter: dict[str, Any] | None = None
    """Not there yet: a filter is refused rather than left out of account."""
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

    @field_validator("filter")
    @classmethod
    def _none_yet(cls, conditions: dict[str, Any] | None) -> dict[str, Any] | None:
        if conditions:
            raise InvalidRequestError("filter is not supported yet; leave it out.")
        return conditions

    @field_validator("memory_limit_number", "preference_limit_number")
    @classmethod
    def _within_limit(cls, number: int) -> int:
        if not 0 <= number <= MAX_LIMIT:
            raise InvalidRequestError(f"memory_limit_number and preference_limit_number must be from 0 to {MAX_LIMIT}.")
        return number

    @model_validator(mode="after")
    def _has_an_owner(self) -> Self:
        if self.user_id is None and self.agent_id is None:
            raise MissingFieldError("user_id is required (or agent_id).")
        return self

    @property
    def kinds(self) -> frozenset[MemoryKind]:
        """The kinds of memory asked for."""
        if self.include_memory_view is not None:
            return frozenset(kind for view in self.include_memory_view for kind in view.kinds)
        if self.include_preference:
            return frozenset(MemoryKind)
        return frozenset({MemoryKind.FACT})


class SourceDetail(BaseModel):
    """A message that a memory was made from."""

    message_id: str
    role: Role
    content: str
    chat_time: int


class MemoryDetail(BaseModel):
    """A fact. Times are epoch milliseconds."""

    id: str
    memory_key: str
    memory_value: str
    memory_type: MemoryLayer
    create_time: int
    update_time: int
    conversation_id: str
    status: MemoryStatus
    confidence: float
    tags: list[str]
    relativity: float
    memory_time: int | None = None
    sources: list[SourceDetail]
    info: dict[str, Any]
    folded_ids: list[str] | None = None
    """Memories of the same place in the conversation whose text `memory_value` holds as well."""


class PreferenceDetail(BaseModel):
    """A preference, stated or inferred, with the reason for believing it. Times are epoch milliseconds."""

    id: str
    preference: str
    preference_type: MemoryKind
    reasoning: str
    create_time: int
    update_time: int
    conversation_id: str
    status: MemoryStatus
    relativity: float
    sources: list[SourceDetail]


class TraceDetail(BaseModel):
    """How a result came by its place. `parts` are what each arm gave; they add up to `score`."""

    id: str
    score: float
    relativity: float
    parts: dict[str, float]


class SearchData(BaseModel):
    """What was recalled, each list from the most relevant down."""

    memory_detail_list: list[MemoryDetail]
    preference_detail_list: list[PreferenceDetail]
    tool_memory_detail_list: list[dict[str, Any]] = Field(default_factory=list)
    skill_detail_list: list[dict[str, Any]] = Field(default_factory=list)
    event_detail_list: list[dict[str, Any]] = Field(default_factory=list)
    profile_detail_list: list[dict[str, Any]] = Field(default_factory=list)
    preference_note: str
    trace: list[TraceDetail] | None = None
    """With `trace`: every candidate, returned or not."""
