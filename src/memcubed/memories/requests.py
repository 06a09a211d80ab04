"""The bodies of the memory routes, and their answers beside the memories themselves."""

from typing import Annotated, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator, model_validator

from memcubed.contract.request import AgentId, Count, Flag, RequestModel, Text, UserId, documented, require_owner
from memcubed.errors import EmptyListError, InvalidRequestError, MissingFieldError
from memcubed.filters import FilterBody
from memcubed.memories.model import MemoryKind, MemoryStatus, MemoryView
from memcubed.memories.schemas import MemoryLists
from memcubed.memories.types import check_type
from memcubed.memories.views import check_views, kinds_of

MAX_PAGE: Final = 1_000_000
MAX_SIZE: Final = 50
MAX_TITLE_CHARACTERS: Final = 200
MAX_DELETED: Final = 1000


def _check_status(status: object) -> object:
    if not isinstance(status, str) or status not in set(MemoryStatus):
        raise InvalidRequestError(f"status must be one of {', '.join(MemoryStatus)}.")
    return status


def _check_memory_ids(ids: object) -> object:
    if not isinstance(ids, list):
        raise InvalidRequestError("memory_ids must be a list of strings.")
    if not ids:
        raise EmptyListError("memory_ids must not be an empty list.")
    if len(ids) > MAX_DELETED:
        raise InvalidRequestError(f"memory_ids takes at most {MAX_DELETED} ids; it has {len(ids)}.")
    for index, id_ in enumerate(ids):
        if not isinstance(id_, str):
            raise InvalidRequestError(f"memory_ids[{index}] must be a string.")
    return ids


Status = Annotated[MemoryStatus, BeforeValidator(_check_status)]


class GetMemoryRequest(RequestModel):
    """A page of the memories of one user, or one agent."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user_id": "memos_user_123", "page": 1, "size": 10}]})

    user_id: UserId | None = None
    agent_id: AgentId | None = None
    page: Annotated[Count, documented(minimum=1, maximum=MAX_PAGE)] = 1
    """From 1."""
    size: Annotated[Count, documented(minimum=1, maximum=MAX_SIZE)] = 10
    """At most so many of each kind; 50 at most."""
    include_preference: Flag = True
    include_tool_memory: Flag = True
    include_memory_view: Annotated[list[MemoryView] | None, BeforeValidator(check_views)] = None
    """Which kinds come back; absent: all, but for those that the include_ fields turn off."""
    filter: FilterBody = None
    """What memories must meet to be listed."""
    status: Status = MemoryStatus.ACTIVATED
    """Not of the hosted platform: `archived` lists what was archived or superseded instead."""

    @field_validator("page")
    @classmethod
    def _is_a_page(cls, page: int) -> int:
        if not 1 <= page <= MAX_PAGE:
            raise InvalidRequestError(f"page must be from 1 to {MAX_PAGE}.")
        return page

    @field_validator("size")
    @classmethod
    def _within_limit(cls, size: int) -> int:
        if not 1 <= size <= MAX_SIZE:
            raise InvalidRequestError(f"size must be from 1 to {MAX_SIZE}.")
        return size

    @model_validator(mode="after")
    def _has_an_owner(self) -> Self:
        require_owner(self.user_id, self.agent_id)
        return self

    @property
    def kinds(self) -> frozenset[MemoryKind]:
        """The kinds of memory asked for."""
        if self.include_memory_view is not None:
            return kinds_of(self.include_memory_view)
        off = {MemoryView.PREFERENCE: self.include_preference, MemoryView.TOOL_MEMORY: self.include_tool_memory}
        return kinds_of(view for view in MemoryView if off.get(view, True))


class GetMemoryData(MemoryLists):
    """A page of each list, the newest memories first."""

    total: int
    """How many memories the kind with the most of them has."""
    size: int
    current: int
    """The page."""
    pages: int


class UpdateMemoryRequest(RequestModel):
    """What is to change of a memory; what is left out stays."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"memory_id": "8b5f1b0e-9a39-4d3a-8f57-3f4d6a4c2f10", "content": "The user moved to Kunming."}]
        }
    )

    memory_id: Text
    content: str | None = None
    title: str | None = None
    """At most 200 characters."""
    status: Status | None = None
    """`archived` keeps a memory from being recalled, `activated` brings it back."""

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.memory_id.strip():
            raise MissingFieldError("memory_id must not be empty.")
        for name, text in (("content", self.content), ("title", self.title)):
            if text is not None and not text.strip():
                raise MissingFieldError(f"{name} must not be empty.")
        if self.content is None and self.title is None and self.status is None:
            raise MissingFieldError("One of content, title and status is required.")
        if self.title is not None and len(self.title) > MAX_TITLE_CHARACTERS:
            raise InvalidRequestError(
                f"title must be at most {MAX_TITLE_CHARACTERS} characters; it has {len(self.title)}."
            )
        return self


class DeleteMemoryRequest(RequestModel):
    """What is to be deleted: exactly one of `memory_ids`, `user_id`, `agent_id` and `filter`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"memory_ids": ["8b5f1b0e-9a39-4d3a-8f57-3f4d6a4c2f10"]}]}
    )

    memory_ids: Annotated[list[str] | None, BeforeValidator(_check_memory_ids)] = None
    """At most 1000 memories; all of them, or none, are deleted."""
    user_id: UserId | None = None
    """Everything of this user in the project is deleted."""
    agent_id: AgentId | None = None
    """Everything of this agent in the project is deleted."""
    filter: FilterBody = None
    """Every memory in the project that meets this is deleted."""
    memory_type: Annotated[str | None, BeforeValidator(check_type)] = None
    """Delete only memories of this type, a memory view or a type that answers name."""

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        ways = {
            "memory_ids": self.memory_ids,
            "user_id": self.user_id,
            "agent_id": self.agent_id,
            "filter": self.filter,
        }
        given = [name for name, value in ways.items() if value is not None]
        if not given:
            raise MissingFieldError(f"One of {', '.join(ways)} is required.")
        if len(given) > 1:
            raise InvalidRequestError(f"{' and '.join(given)} can't be given together: name one of them.")
        if self.filter is not None and not self.filter:
            raise EmptyListError("filter must not be empty: it would mean every memory of the project.")
        return self


class SuccessData(BaseModel):
    """It was done."""

    success: bool = True
