"""The doctor's report as JSON."""

from pydantic import BaseModel

from memcubed.clock import epoch_milliseconds
from memcubed.doctor.model import Check, Diagnosis, Report


class FindingData(BaseModel):
    """One way in which things may be out of order. `examples` are ids."""

    check: Check
    meaning: str
    count: int
    examples: list[str]


class WaitingData(BaseModel):
    """Running tasks that could not be done at the last try, by the reason."""

    reason: str
    tasks: int


class DiagnosisData(BaseModel):
    """One project."""

    project: str
    clean: bool
    messages: int
    memories: int
    """Those that are recalled."""
    memories_archived: int
    """All others: archived ones, or replaced by a later one."""
    tasks_running: int
    tasks_failed: int
    daily_token_budget: int | None
    """None: no limit."""
    tokens_spent: int
    """Of the budget, today. When all of it is spent, what needs a language model waits until 00:00 UTC."""
    waiting: list[WaitingData]
    findings: list[FindingData]
    repaired: dict[Check, int]
    """What a repair put in order, or back on the queue."""

    @classmethod
    def of(cls, diagnosis: Diagnosis) -> "DiagnosisData":
        """The diagnosis, as answers show it."""
        return cls(
            project=diagnosis.project,
            clean=diagnosis.is_clean,
            messages=diagnosis.messages,
            memories=diagnosis.memories,
            memories_archived=diagnosis.archived,
            tasks_running=diagnosis.running,
            tasks_failed=diagnosis.failed,
            daily_token_budget=diagnosis.budget.limit,
            tokens_spent=diagnosis.budget.spent,
            waiting=[WaitingData(reason=one.reason, tasks=one.tasks) for one in diagnosis.waiting],
            findings=[
                FindingData(check=one.check, meaning=one.check.meaning, count=one.count, examples=list(one.examples))
                for one in diagnosis.findings
            ],
            repaired=dict(diagnosis.repaired or {}),
        )


class ReportData(BaseModel):
    """Every project, and the queue that they share."""

    clean: bool
    vectors_checked: bool
    """False when the embedding model could not be asked for its name."""
    jobs_waiting: int
    jobs_running: int
    jobs_failed: int
    oldest_job_time: int | None
    projects: list[DiagnosisData]

    @classmethod
    def of(cls, report: Report) -> "ReportData":
        """The report, as answers show it."""
        queue = report.queue
        return cls(
            clean=report.is_clean,
            vectors_checked=report.vectors_checked,
            jobs_waiting=queue.waiting,
            jobs_running=queue.running,
            jobs_failed=queue.failed,
            oldest_job_time=None if queue.oldest is None else epoch_milliseconds(queue.oldest),
            projects=[DiagnosisData.of(diagnosis) for diagnosis in report.diagnoses],
        )
