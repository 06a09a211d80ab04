from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcubed.memories.coarse import coarse_memories
from memcubed.memories.fingerprint import fingerprint
from memcubed.memories.model import FAST_MODE_TAG, MemoryKind, MemoryLayer
from memcubed.messages.model import Role, Turn

NOW = datetime(2025, 6, 10, tzinfo=UTC)


def turn(role: Role, content: str, speaker: str | None = None) -> Turn:
    return Turn(uuid4(), role, content, NOW, speaker)


def test_an_exchange_ends_with_its_answer() -> None:
    turns = [
        turn(Role.SYSTEM, "Be brief."),
        turn(Role.USER, "One?"),
        turn(Role.USER, "I mean two?"),
        turn(Role.TOOL, "looked up"),
        turn(Role.ASSISTANT, "Two."),
        turn(Role.USER, "Three?"),
    ]
    first, second = coarse_memories(turns)
    assert first.value == "user: One?\nuser: I mean two?\ntool: looked up\nassistant: Two."
    assert second.value == "user: Three?"
    assert first.source_ids == tuple(one.message_id for one in turns[1:5])
    assert (first.layer, first.kind, first.tags) == (MemoryLayer.WORKING, MemoryKind.FACT, (FAST_MODE_TAG,))


def test_in_a_group_everyone_is_named() -> None:
    memories = coarse_memories([turn(Role.USER, "Hi", "Ann"), turn(Role.USER, "Hello", "Ben")])
    assert [memory.value for memory in memories] == ["Ann: Hi", "Ben: Hello"]


def test_long_exchanges_are_cut_without_losing_a_character() -> None:
    text = "".join(chr(0x4E00 + number) for number in range(5000))
    pieces = coarse_memories([turn(Role.USER, text)])
    assert "".join(piece.value for piece in pieces) == f"user: {text}"
    assert max(len(piece.value) for piece in pieces) <= 1000
    sources: set[tuple[UUID, ...]] = {piece.source_ids for piece in pieces}
    assert len(sources) == 1


def test_a_piece_names_the_turns_that_it_holds_something_of() -> None:
    turns = [turn(Role.USER, "x" * 594), turn(Role.USER, "y" * 393), turn(Role.USER, "z" * 2000)]
    pieces = coarse_memories(turns)
    for piece in pieces:
        held = [one.message_id for one, mark in zip(turns, "xyz", strict=True) if mark in piece.value]
        assert list(piece.source_ids) == held
    assert {source for piece in pieces for source in piece.source_ids} == {one.message_id for one in turns}


@given(st.lists(st.integers(1, 1200), min_size=1, max_size=12))
def test_no_turn_is_without_a_piece_and_no_piece_without_a_turn(lengths: list[int]) -> None:
    turns = [turn(Role.USER, "x" * length) for length in lengths]
    pieces = coarse_memories(turns)
    assert all(piece.source_ids for piece in pieces)
    assert {source for piece in pieces for source in piece.source_ids} == {one.message_id for one in turns}
    order = [one.message_id for one in turns]
    for piece in pieces:
        first = order.index(piece.source_ids[0])
        assert list(piece.source_ids) == order[first : first + len(piece.source_ids)]


@pytest.mark.parametrize("turns", [[], [turn(Role.SYSTEM, "x")], [turn(Role.USER, " \n")], [turn(Role.ASSISTANT, "")]])
def test_what_says_nothing_gives_nothing(turns: list[Turn]) -> None:
    assert coarse_memories(turns) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [("I like tea.", "i like TEA"), ("ＡＢＣ　１", "abc1"), ("我喜欢茶。", "我 喜欢，茶"), ("Café", "Cafe\u0301")],
)
def test_the_same_said_differently_written(one: str, other: str) -> None:
    assert fingerprint(MemoryKind.FACT, one) == fingerprint(MemoryKind.FACT, other)


@pytest.mark.parametrize(
    ("one", "other"), [("I like tea", "I like teas"), ("!", "?"), ("七天", "七夭"), ("1.5", "1.6")]
)
def test_different_things_are_different(one: str, other: str) -> None:
    assert fingerprint(MemoryKind.FACT, one) != fingerprint(MemoryKind.FACT, other)


def test_a_fact_is_no_preference() -> None:
    kinds = {fingerprint(kind, "I like tea") for kind in MemoryKind}
    assert len(kinds) == len(MemoryKind)
