"""The plan of a chaos run is repeatable, and its reckoning sees what is wrong."""

from collections import Counter

import pytest

from benchmarks.chaos.model import Add, Blow, Fault, plan
from benchmarks.chaos.reckoning import Owned, misplaced

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
