"""Whose work is running: the project, task and purpose that a model call is counted for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

EMBEDDING: Final = "embedding"
"""The purpose of embedding calls; a budget is not spent by them."""

TOOL_MEMORY: Final = "tool_memory"
PROFILE: Final = "profile"
VISION: Final = "vision"

PREVIEW: Final = "preview"
"""The purpose of extraction that stores nothing."""

_PURPOSE_OF_ROUTE: Final = {"search/memory": "rewriting", "extract/memory": PREVIEW}
_PURPOSE_OF_SLICE: Final = {"production": "extraction"}


@dataclass(slots=True)
class Answers:
    """What the model answered to the questions of a job, as JSON by the marks of the questions.

    A job that is put off in its midst, or fails, is begun anew later: then it does not pay twice.
    """

    earlier: Mapping[str, str] = field(default_factory=dict)
    new: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """A job, or a request, which keeps no `answers`."""

    project_id: UUID
    purpose: str
    task_id: UUID | None = None
    answers: Answers | None = None


# Of the running asyncio task, as the log's bound values are: the calls are made deep inside extractors, which know
# nothing of projects.
_work: ContextVar[Work | None] = ContextVar("memcubed_work", default=None)


def current_work() -> Work | None:
    """The work that is running; None outside of any project's, such as at start."""
    return _work.get()


def begin_work(work: Work) -> None:
    """Count the rest of this asyncio task for this work."""
    _work.set(work)


@contextmanager
def working(work: Work) -> Iterator[None]:
    """Count what the block does for this work."""
    token = _work.set(work)
    try:
        yield
    finally:
        _work.reset(token)


@contextmanager
def purposed(purpose: str) -> Iterator[None]:
    """Count what the block does for another purpose of the work that is running."""
    work = _work.get()
    token = _work.set(None if work is None else replace(work, purpose=purpose))
    try:
        yield
    finally:
        _work.reset(token)


def purpose_of_route(path: str) -> str:
    """What a request's model calls are for, by the route below the base path: `chat`, `feedback`, `rewriting`."""
    path = path.strip("/")
    return _PURPOSE_OF_ROUTE.get(path, path.split("/")[-1])


def purpose_of_job(name: str) -> str:
    """What a job's model calls are for, by the slice that the job's name begins with: `extraction`, `feedback`."""
    slice_name = name.partition(".")[0]
    return _PURPOSE_OF_SLICE.get(slice_name, slice_name)
