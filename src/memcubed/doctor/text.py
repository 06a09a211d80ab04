"""The doctor's report for people."""

from collections.abc import Iterator

from memcubed.doctor.model import Diagnosis, Report


def report_lines(report: Report) -> Iterator[str]:
    """The report, a line at a time: what is out of order is named, with the first ids."""
    for diagnosis in report.diagnoses:
        yield from _diagnosis_lines(diagnosis)
    queue = report.queue
    oldest = "" if queue.oldest is None else f", the oldest due since {queue.oldest:%Y-%m-%d %H:%M:%S} UTC"
    yield f"Queue: {queue.waiting} waiting, {queue.running} running{oldest}; {queue.failed} failed and kept."
    if not report.vectors_checked:
        yield "The embedding model does not answer, so vectors were not examined."
    yield _verdict(report)


def _verdict(report: Report) -> str:
    if report.is_clean:
        return "Clean."
    if not report.is_repairable:
        return (
            "Not clean, but nothing of it can be put in order by --repair: the memories named above stay as they are; "
            "delete those that should not be."
        )
    if any(diagnosis.repaired is not None for diagnosis in report.diagnoses):
        return "Not clean yet: run `memcubed doctor` again when workers have emptied the queue."
    return "Not clean: run `memcubed doctor --repair` for what can be put in order."


def _diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    yield (
        f"Project {diagnosis.project!r}: {diagnosis.messages} messages, {diagnosis.memories} memories "
        f"and {diagnosis.archived} archived; "
        f"tasks: {diagnosis.running} running, {diagnosis.failed} failed."
    )
    for check, count in (diagnosis.repaired or {}).items():
        yield f"  repaired, or back on the queue: {count} {check.replace('_', ' ')}"
    budget = diagnosis.budget
    if budget.is_spent:
        yield (
            f"  budget: {budget.spent} of {budget.limit} model tokens for today are spent; what needs a language model "
            "waits until 00:00 UTC, or for a larger budget"
        )
    for waiting in diagnosis.waiting:
        yield f"  waiting: {waiting.tasks} tasks, because: {waiting.reason}"
    for finding in diagnosis.findings:
        if finding.count:
            more = ", …" if finding.count > len(finding.examples) else ""
            yield f"  {finding.count} {finding.check.replace('_', ' ')}: {finding.check.meaning}"
            yield f"    {', '.join(finding.examples)}{more}"
