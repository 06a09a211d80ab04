"""The plan of a chaos run is repeatable, and its reckoning sees what is wrong."""

from collections import Counter

import pytest

from benchmarks.chaos.expectations import Owned, misplaced, undone, unread
from benchmarks.chaos.model import Add, Blow, Change, Fault, Upload, plan

ADA, BOB = ("user", "ada"), ("user", "bob")


def add(*, answered: bool = True, route: str = "add/message") -> Add:
    return Add(route, "mark", {}, (ADA, BOB), sent=1, task_ids=["t"] if answered else [])


def wrong(one: Add, found: Owned, what: str = "message") -> list[str]:
    """The titles of what is wrong."""
    return [title for title, lines in misplaced([one], found, what).items() if lines]


def test_a_plan_is_the_same_for_its_seed() -> None:
    assert plan(1, 60, 10) == plan(1, 60, 10)
    assert plan(1, 60, 10) != plan(2, 60, 10)


def test_a_plan_has_its_number_of_kills_of_all_kinds_and_all_faults() -> None:
    events = plan(3, 600, 16)
    assert Counter(event.what for event in events if isinstance(event.what, Blow)) == Counter(dict.fromkeys(Blow, 2))
    assert {event.what for event in events if isinstance(event.what, Fault)} == set(Fault)
    assert all(event.at >= 0 and event.at + event.seconds <= 600 for event in events)
    assert events == sorted(events, key=lambda event: event.at)


@pytest.mark.parametrize("answered", [True, False])
def test_once_with_every_owner_is_right(*, answered: bool) -> None:
    assert wrong(add(answered=answered), {"mark": Counter([ADA, BOB])}) == []


def test_what_was_not_accepted_may_be_nowhere() -> None:
    assert wrong(add(answered=False), {}) == []


@pytest.mark.parametrize("found", [{}, {"mark": Counter([ADA])}], ids=["everywhere", "for one owner"])
def test_what_was_accepted_and_is_missing_is_lost(found: Owned) -> None:
    assert wrong(add(), found) == ["Accepted adds whose message is lost:"]


def test_half_of_what_was_not_accepted_is_told() -> None:
    assert wrong(add(answered=False), {"mark": Counter([ADA])}) == [
        "Adds of which some owners have the message and others not:"
    ]


def test_twice_is_told() -> None:
    assert wrong(add(), {"mark": Counter([ADA, BOB, BOB])}) == ["Adds whose message is there more than once:"]


def test_what_came_to_another_owner_is_told() -> None:
    assert wrong(add(), {"mark": Counter([ADA, BOB, ("user", "eve")])}) == [
        "Adds whose message came to an owner that they do not name:"
    ]


def test_feedback_may_leave_no_memory_but_leaves_its_message() -> None:
    assert wrong(add(route="add/feedback"), {}, "memory") == []
    assert wrong(add(route="add/feedback"), {}, "message") == ["Accepted adds whose message is lost:"]


def is_undone(found: Owned, *, answered: bool, new_mark: str | None = None) -> bool:
    return any(undone([Change(add(), new_mark, answered)], found).values())


OLD, NEW = {"mark": Counter([ADA])}, {"new": Counter([ADA])}


def test_what_was_answered_as_deleted_must_be_gone() -> None:
    assert is_undone(OLD, answered=True)
    assert not is_undone({}, answered=True)


def test_a_deletion_without_an_answer_may_be_done_or_not() -> None:
    assert not is_undone(OLD, answered=False)
    assert not is_undone({}, answered=False)
    assert is_undone({"mark": Counter([ADA, ADA])}, answered=False)


def test_what_was_updated_must_have_the_new_text_once() -> None:
    assert not is_undone(NEW, answered=True, new_mark="new")
    assert is_undone(OLD, answered=True, new_mark="new")
    assert is_undone({}, answered=True, new_mark="new")
    assert is_undone({**OLD, **NEW}, answered=True, new_mark="new")


def test_an_update_without_an_answer_may_be_done_or_not_but_loses_nothing() -> None:
    assert not is_undone(OLD, answered=False, new_mark="new")
    assert not is_undone(NEW, answered=False, new_mark="new")
    assert is_undone({}, answered=False, new_mark="new")


@pytest.mark.parametrize(
    ("files", "answered", "right"),
    [
        ([("COMPLETED", 1)], True, True),
        ([("COMPLETED", 1)], False, True),
        ([], False, True),
        ([], True, False),
        ([("COMPLETED", 1)] * 2, True, False),
        ([("PROCESSING", 0)], False, False),
        ([("COMPLETED", 0)], True, False),
        ([("COMPLETED", 2)], True, False),
    ],
)
def test_an_accepted_file_is_there_once_and_read(files: list[tuple[str, int]], answered: bool, right: bool) -> None:  # noqa: FBT001 - a table
    upload = Upload("mark", "base", "", ["f"] if answered else [])
    assert (not any(unread([upload], {"mark": files}).values())) is right
