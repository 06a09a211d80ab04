"""What must be where after a run, by what was sent and answered: rules over what was counted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.chaos.model import Add, Change, Upload

Owned = dict[str, Counter[tuple[str, str]]]
"""By mark: how often it is in which cube (kind, owner)."""


def misplaced(adds: Iterable[Add], found: Owned, what: str) -> dict[str, list[str]]:
    """What is not where it has to be, under the titles of what is wrong.

    All owners of an accepted add have its message and its memory once; of one that was never accepted all have them
    once, or none has. Feedback may leave no memory behind.
    """
    lost, partial, doubled, astray = [], [], [], []
    for add in adds:
        owners = found.get(add.mark, Counter())
        missing = [owner for owner in add.owners if owner not in owners]
        line = f"{add.mark} ({add.route}, key {add.key}, sent {add.sent} times, tasks {add.task_ids})"
        if missing and not (what == "memory" and add.route == "add/feedback"):
            if add.is_answered:
                lost.append(f"{line} in {missing}")
            elif owners:
                partial.append(f"{line} in {missing}")
        doubled += [f"{line} {count} times in {owner}" for owner, count in owners.items() if count > 1]
        astray += [f"{line} in {owner}" for owner in owners if owner not in add.owners]
    return {
        f"Accepted adds whose {what} is lost:": lost,
        f"Adds of which some owners have the {what} and others not:": partial,
        f"Adds whose {what} is there more than once:": doubled,
        f"Adds whose {what} came to an owner that they do not name:": astray,
    }


def undone(changes: Iterable[Change], found: Owned) -> dict[str, list[str]]:
    """What did not become of memories what was answered.

    What was answered "deleted" is gone, and what was updated says the new text, once; of a change that was never
    answered either is right, but nothing in between.
    """
    deletions, updates = [], []
    for change in changes:
        before = sum(found.get(change.add.mark, Counter()).values())
        said = f"answered {change.is_answered}; the old text {before} times"
        if change.new_mark is None:
            if before > (not change.is_answered):
                deletions.append(f"{change.add.mark}: {said}")
            continue
        after = sum(found.get(change.new_mark, Counter()).values())
        if (before, after) != (0, 1) and (change.is_answered or (before, after) != (1, 0)):
            updates.append(f"{change.add.mark} to {change.new_mark}: {said}, the new one {after} times")
    return {
        "Deleted memories that are there:": deletions,
        "Updated memories that do not have the new text once:": updates,
    }


def unread(uploads: Iterable[Upload], files: Mapping[str, Sequence[tuple[str, int]]]) -> dict[str, list[str]]:
    """Which files are not there once, completed and remembered once; `files` are (status, memories) by mark."""
    lost, wrong = [], []
    for upload in uploads:
        there = files.get(upload.mark, ())
        if upload.is_answered and not there:
            lost.append(upload.mark)
        elif len(there) > 1 or any(one != ("COMPLETED", 1) for one in there):
            wrong.append(f"{upload.mark} (answered {upload.file_ids}): {list(there)}")
    return {
        "Accepted files that are lost:": lost,
        "Files that are not there once, completed, with one memory:": wrong,
    }
