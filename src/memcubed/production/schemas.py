"""The bodies and answers of get/status and extract/memory."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator

from memcubed.contract.request import RequestModel, Text, documented
from memcubed.errors import EmptyListError, InvalidRequestError, MissingFieldError, UnsupportedTypeError
from memcubed.memories.model import MemoryKind, MemoryLayer, MemoryView
from memcubed.messages.schemas import MessageIn, check_messages
from memcubed.production.tasks import Task, TaskStatus


class GetStatusRequest(RequestModel):
    """A task that add/message answered with."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"task_id": "0b42a1f4-6a29-4a3c-9a77-f34d0a3ef6a4"}]})

    task_id: Text

    @field_validator("task_id")
    @classmethod
    def _not_empty(cls, task_id: str) -> str:
        if not task_id.strip():
            raise MissingFieldError("task_id must not be empty.")
        return task_id

    def find_uuid(self) -> UUID | None:
        """The id, or None when no task can have it."""
        try:
            return UUID(self.task_id)
        except ValueError:
            return None


class ViewReceipt(BaseModel):
    """How many memories of one kind a task added."""

    added: int


class TaskData(BaseModel):
    """How a task stands: `running`, `completed` or `failed`."""

    task_id: str
    status: TaskStatus
    memory_views: dict[MemoryView, ViewReceipt]
    """What was added, by kind; empty while the task is running."""
    reason: str | None
    """What else was done, what was not read, why nothing was added, or why the task failed or is being tried again."""

    @classmethod
    def of(cls, task: Task) -> "TaskData":
        """The task, as the API shows it."""
        counts = {
            view: sum(count for kind, count in task.memories.items() if kind in view.kinds) for view in MemoryView
        }
        return cls(
            task_id=str(task.id),
            status=task.status,
            memory_views={view: ViewReceipt(added=count) for view, count in counts.items() if count},
            reason="; ".join(task.reasons) or None,
        )


class ExtractionType(StrEnum):
    """What can be extracted."""

    MEMORY = "memory"
    PREFERENCE = "preference"

    @property
    def kinds(self) -> frozenset[MemoryKind]:
        """The kinds of memory that it names."""
        return (MemoryView.DETAIL_FACTUAL if self is ExtractionType.MEMORY else MemoryView.PREFERENCE).kinds


def _check_types(types: object) -> object:
    if not isinstance(types, list):
        raise InvalidRequestError("extraction_types must be a list of memory and preference.")
    if not types:
        raise EmptyListError("extraction_types must name memory or preference; leave it out for both.")
    for index, name in enumerate(types):
        if not isinstance(name, str) or name not in set(ExtractionType):
            raise UnsupportedTypeError(f"extraction_types[{index}] must be memory or preference.")
    return types


class ExtractMemoryRequest(RequestModel):
    """Messages to read, of which nothing is kept."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"messages": [{"role": "user", "content": "I moved to Oslo last month. I never eat pork."}]}]
        }
    )

    messages: Annotated[list[MessageIn], BeforeValidator(check_messages), documented(minItems=1)]
    """As in add/message, with text only."""
    extraction_types: Annotated[list[ExtractionType] | None, BeforeValidator(_check_types)] = None
    """`memory` (facts), `preference`; absent: both."""
    model: str | None = None
    """Accepted for clients that send one; the service's own extractor reads."""

    @field_validator("messages")
    @classmethod
    def _only_text(cls, messages: list[MessageIn]) -> list[MessageIn]:
        for index, message in enumerate(messages):
            for place, part in enumerate(message.content if isinstance(message.content, list) else []):
                if part.get("type") != "text":
                    raise UnsupportedTypeError(f"messages[{index}].content[{place}].type must be text here.")
        return messages

    @property
    def kinds(self) -> frozenset[MemoryKind]:
        """The kinds of memory asked for."""
        return frozenset(kind for one in self.extraction_types or ExtractionType for kind in one.kinds)


class ExtractedMemory(BaseModel):
    """A fact that would be stored."""

    memory_key: str
    memory_value: str
    memory_type: MemoryLayer
    tags: list[str]


class ExtractedPreference(BaseModel):
    """A preference that would be stored, and why it is believed."""

    preference: str
    reasoning: str
    preference_type: MemoryKind


class ExtractMemoryData(BaseModel):
    """What add/message would remember of the messages."""

    success: bool = True
    memory_detail_list: list[ExtractedMemory]
    preference_detail_list: list[ExtractedPreference]
