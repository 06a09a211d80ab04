"""The body and answer of get/status."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, field_validator

from memcubed.contract.request import RequestModel
from memcubed.errors import MissingFieldError
from memcubed.memories.model import MemoryView
from memcubed.production.tasks import Task, TaskStatus


class GetStatusRequest(RequestModel):
    """A task that add/message answered with."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"task_id": "0b42a1f4-6a29-4a3c-9a77-f34d0a3ef6a4"}]})

    task_id: str

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
    """Why nothing was added, or why the task failed or is being tried again."""

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
