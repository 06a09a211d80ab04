"""What is fed and asked, whichever data set it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Post:
    """One add/message call. `labels` name each of its messages as the questions' evidence does."""

    user_id: str
    conversation_id: str
    messages: tuple[Mapping[str, Any], ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A query, the labels of the messages that hold its answer, and the table row it counts in."""

    user_id: str
    text: str
    evidence: frozenset[str]
    category: str


@dataclass(frozen=True, slots=True)
class Result:
    """A returned memory: the text a model would read, and the labels of the messages it was made from."""

    text: str
    relativity: float
    labels: frozenset[str]
    is_preference: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with what was returned for it."""

    question: Question
    results: tuple[Result, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Suite:
    """A data set: what to feed and what to ask."""

    name: str
    posts: tuple[Post, ...]
    questions: tuple[Question, ...]
    texts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(user_id, label) → the message's text."""
    include_preference: bool = True
