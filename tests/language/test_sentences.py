import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcubed.language.sentences import clauses, clip, list_mark, pieces, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我到了。你在哪？好！", ["我到了。", "你在哪？", "好！"]),
        ("He said “stop.” I did.", ["He said “stop.”", "I did."]),
        ("Dr. Lee paid 3.50. Fine.", ["Dr. Lee paid 3.50.", "Fine."]),
        ("Do this:\n1. Wash it.\n2. Dry it.", ["Do this:", "1. Wash it.", "2. Dry it."]),
        ("  ", []),
    ],
)
def test_sentences_end_where_they_end(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_clauses_end_at_commas() -> None:
    assert clauses("不吃辣，也不吃甜") == ["不吃辣", "也不吃甜"]


@pytest.mark.parametrize("line", ["1. a", "2、b", "- c", "方案一：d", "（3）e", "一、f", "Option B: g"])
def test_list_items_are_known_by_their_mark(line: str) -> None:
    assert list_mark(line)


def test_a_sentence_is_no_list_item() -> None:
    assert list_mark("I came.") is None


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400), st.integers(10, 80))
def test_cutting_keeps_the_limit_and_the_words(text: str, limit: int) -> None:
    assert len(clip(text, limit)) <= limit
    parts = pieces(text, limit)
    assert all(0 < len(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
