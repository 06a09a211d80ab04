"""Pieces: none over a heading, none too long, each beginning with the end of the one before."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from memcubed.documents.cutting import PIECE_TOKENS, cut
from memcubed.documents.model import Block, Document
from memcubed.language.tokens import estimate_tokens

blocks = st.lists(
    st.builds(
        Block,
        text=st.text("甲乙丙。，ab .\n", max_size=2000),
        level=st.none() | st.integers(1, 4),
        page=st.none() | st.integers(1, 9),
    ),
    max_size=12,
)


def test_long_section_is_cut_with_overlap() -> None:
    sentences = [f"第{number}条规定了一件别的条文没有规定的事情。" for number in range(60)]
    pieces = list(cut([Block("总则", level=1), Block("".join(sentences))]))
    assert len(pieces) > 2
    for before, after in pairwise(pieces):
        assert after.overlap > 0
        assert before.text.endswith(after.text[: after.overlap])
        assert after.heading == ("总则",)
    assert Document(tuple(pieces)).text.replace("\n", "") == "总则" + "".join(sentences)


def test_heading_without_text_is_text() -> None:
    pieces = list(cut([Block("A", level=1), Block("B", level=2), Block("C", level=1), Block("said")]))
    assert [(piece.heading, piece.text) for piece in pieces] == [(("A",), "B"), (("C",), "said")]


def test_a_word_without_end_is_cut_all_the_same() -> None:
    pieces = list(cut([Block("x" * 300_000)]))
    assert sum(piece.text[piece.overlap :].count("x") for piece in pieces) == 300_000


@given(blocks)
def test_nothing_is_lost_and_nothing_is_too_long(given_blocks: list[Block]) -> None:
    pieces = list(cut(given_blocks))
    assert [piece.number for piece in pieces] == list(range(1, len(pieces) + 1))
    assert all(piece.text.strip() and estimate_tokens(piece.text) <= PIECE_TOKENS for piece in pieces)
    said = "".join("".join(piece.heading) + piece.text for piece in pieces)
    letters = {letter for block in given_blocks for letter in block.text if letter.strip()}
    assert letters <= set(said)
    paragraphs = [block.text for block in given_blocks if block.level is None]
    kept = sum(letter.isalnum() for piece in pieces for letter in piece.text[piece.overlap :])
    assert kept >= sum(letter.isalnum() for text in paragraphs for letter in text)
