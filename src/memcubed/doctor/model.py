"""What is looked for, and what is found."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from memcubed.usage.model import Budget


class Check(StrEnum):
    """What may be out of order. Each is 0 in a service that has come to rest."""

    STUCK_SHARES = "stuck_shares"
    STUCK_FILES = "stuck_files"
    UNREAD_FILES = "unread_files"
    UNACCOUNTED_MESSAGES = "unaccounted_messages"
    UNFINISHED_TASKS = "unfinished_tasks"
    LINGERING_TURNS = "lingering_turns"
    UNSOURCED_MEMORIES = "unsourced_memories"
    UNEMBEDDED_MEMORIES = "unembedded_memories"
    OLD_VECTORS = "old_vectors"
    ORPHANED_MEMORIES = "orphaned_memories"
    DUPLICATE_MEMORIES = "duplicate_memories"
    DUPLICATE_JOBS = "duplicate_jobs"
    VERSIONLESS_MEMORIES = "versionless_memories"

    @property
    def meaning(self) -> str:
        """What it counts, in a line."""
        return _MEANINGS[self]

    @property
    def is_repairable(self) -> bool:
        """Whether `--repair` can put it in order."""
        return self not in {Check.UNSOURCED_MEMORIES, Check.DUPLICATE_MEMORIES}


_MEANINGS: Mapping[Check, str] = {
    Check.STUCK_SHARES: "tasks that are running, with no job on the queue to end them",
    Check.STUCK_FILES: "files of knowledge bases that are being read, with no job on the queue to read them",
    Check.UNREAD_FILES: "files of knowledge bases that are called completed although memories of them are missing",
    Check.UNACCOUNTED_MESSAGES: "accepted messages that no task of their cube accounts for",
    Check.UNFINISHED_TASKS: "tasks that are not finished although every part of them is",
    Check.LINGERING_TURNS: "raw turns still recalled although what was extracted from them is there",
    Check.UNSOURCED_MEMORIES: "memories of conversations that name no message they come from",
    Check.UNEMBEDDED_MEMORIES: "memories without a vector of the current model: found by words alone",
    Check.OLD_VECTORS: "vectors of another model beside current ones: only room is lost",
    Check.ORPHANED_MEMORIES: "memories of a file or a profile that is not there any more",
    Check.DUPLICATE_MEMORIES: "memories that say what another one of their cube says",
    Check.DUPLICATE_JOBS: "jobs on the queue beside another one for the same task or file and cube",
    Check.VERSIONLESS_MEMORIES: "memories without a first version in their history",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """How many of a kind, with some of them named."""

    check: Check
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Tasks that will be tried again, and why they were not done at once."""

    reason: str
    tasks: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How one project stands. `failed` are tasks that ended without success; their messages are kept.

    `memories` are those that are recalled, `archived` the others, which checks look at as well. While
    `budget` is spent, what needs a language model waits on the queue.
    """

    project: str
    findings: tuple[Finding, ...]
    messages: int
    memories: int
    archived: int
    running: int
    failed: int
    budget: Budget
    waiting: tuple[Waiting, ...] = ()
    repaired: Mapping[Check, int] | None = None

    @property
    def is_clean(self) -> bool:
        """Whether nothing is out of order."""
        return not any(finding.count for finding in self.findings)


@dataclass(frozen=True, slots=True)
class QueueState:
    """The jobs of the whole installation. `failed` ones are kept for their reasons only."""

    waiting: int
    running: int
    failed: int
    oldest: datetime | None
    """When the oldest job that could run by now became due."""


@dataclass(frozen=True, slots=True)
class Report:
    """Every project's diagnosis. `vectors_checked` is False when the embedding model could not be asked its name."""

    diagnoses: tuple[Diagnosis, ...]
    queue: QueueState
    vectors_checked: bool

    @property
    def is_clean(self) -> bool:
        """Whether nothing is out of order anywhere."""
        return all(diagnosis.is_clean for diagnosis in self.diagnoses)

    @property
    def is_repairable(self) -> bool:
        """Whether something is out of order that `--repair` can put in order."""
        return any(
            finding.count and finding.check.is_repairable
            for diagnosis in self.diagnoses
            for finding in diagnosis.findings
        )
