"""Cutting a document at its headings, and long sections by size with overlap."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from memcubed.documents.model import Block, Piece
from memcubed.language.cleaning import MAX_TEXT, printable
from memcubed.language.sentences import pieces as cut_inside
from memcubed.language.sentences import sentences
from memcubed.language.tokens import estimate_tokens

PIECE_TOKENS: Final = 240
"""The most tokens of a piece: what the local embedding models read whole, and a model is shown several of."""

OVERLAP_TOKENS: Final = 40
"""At most so much of the end of a piece is repeated in the next, in whole sentences."""

_LONGEST_SENTENCE: Final = PIECE_TOKENS  # characters: a token is at least one
_HEADING_CHARACTERS: Final = 120  # what is longer is a paragraph that looks like a heading
_MAX_LEVEL: Final = 9


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence, or a short paragraph. `glue` is what stands between it and the unit before."""

    text: str
    tokens: int
    glue: str
    page: int | None


@dataclass(slots=True)
class _Section:
    heading: tuple[str, ...]
    page: int | None
    units: list[_Unit] = field(default_factory=list)


def cut(blocks: Iterable[Block]) -> Iterator[Piece]:
    """The pieces of a document, in order: none goes over a heading, none has more than `PIECE_TOKENS` tokens."""
    number = 0
    for section in _sections(blocks):
        for chosen, repeated in _windows(section.units):
            number += 1
            text = _joined(chosen)
            yield Piece(
                text=text,
                number=number,
                heading=section.heading,
                page=chosen[repeated].page,
                overlap=len(_joined(chosen[:repeated])),
            )


def _sections(blocks: Iterable[Block]) -> Iterator[_Section]:
    path: list[tuple[int, str]] = []
    section = _Section((), None)
    for block in blocks:
        title = " ".join(printable(block.text).split())
        if block.level is None or not 0 < len(title) <= _HEADING_CHARACTERS:
            section.units += _units(block)
            continue
        level = min(max(block.level, 1), _MAX_LEVEL)
        if section.units:
            yield section
        elif path and path[-1][0] >= level:
            # A heading with nothing under it says what it says itself.
            yield _alone(section)
        path = [above for above in path if above[0] < level]
        path.append((level, title))
        section = _Section(tuple(title for _, title in path), block.page)
    if section.units:
        yield section
    elif path:
        yield _alone(section)


def _alone(section: _Section) -> _Section:
    title = section.heading[-1]
    unit = _Unit(title, estimate_tokens(title), "", section.page)
    return _Section(section.heading[:-1], section.page, [unit])


def _units(block: Block) -> Iterator[_Unit]:
    for start in range(0, len(block.text), MAX_TEXT):
        for line in printable(block.text[start : start + MAX_TEXT]).splitlines():
            paragraph = " ".join(line.split())
            if not paragraph:
                continue
            tokens = estimate_tokens(paragraph)
            if tokens <= PIECE_TOKENS // 2:
                yield _Unit(paragraph, tokens, "\n", block.page)
                continue
            glue = "\n"
            for sentence in sentences(paragraph):
                fits = estimate_tokens(sentence) <= PIECE_TOKENS
                for part in [sentence] if fits else cut_inside(sentence, _LONGEST_SENTENCE):
                    yield _Unit(part, estimate_tokens(part), glue, block.page)
                    glue = " " if part[-1:].isascii() else ""


def _windows(units: list[_Unit]) -> Iterator[tuple[list[_Unit], int]]:
    """Runs of units that fit into a piece, with how many of them the run before had already."""
    chosen: list[_Unit] = []
    repeated = tokens = 0
    for unit in units:
        # One more for what joins them: rounding must not put a piece over its size.
        if len(chosen) > repeated and tokens + unit.tokens + 1 > PIECE_TOKENS:
            yield chosen, repeated
            chosen = _end(chosen, room=min(OVERLAP_TOKENS, PIECE_TOKENS - unit.tokens - 1))
            repeated, tokens = len(chosen), sum(one.tokens + 1 for one in chosen)
        chosen.append(unit)
        tokens += unit.tokens + 1
    if len(chosen) > repeated:
        yield chosen, repeated


def _end(chosen: list[_Unit], *, room: int) -> list[_Unit]:
    kept: list[_Unit] = []
    for unit in reversed(chosen[1:]):
        room -= unit.tokens + 1
        if room < 0:
            break
        kept.insert(0, unit)
    return kept


def _joined(units: list[_Unit]) -> str:
    return "".join((unit.glue if index else "") + unit.text for index, unit in enumerate(units))
