"""Cutting a long conversation into what one call to the model can read."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from memcubed.language.tokens import estimate_tokens
from memcubed.messages.model import Turn

_SENTENCE_END = re.compile(r"(?<=[。！？!?；;\n])|(?<=\.)\s+")
# What surrounds a turn's text in the prompt: its id, role, time and the JSON around them.
_TURN_OVERHEAD = 30


@dataclass(frozen=True, slots=True)
class Window:
    """The turns that one call extracts from, and the turns before them, shown to be understood only.

    A turn that was too long by itself appears as several, with the same message id.
    """

    turns: tuple[Turn, ...]
    overlap: tuple[Turn, ...] = ()


def cut_windows(turns: Sequence[Turn], *, window_tokens: int, overlap_tokens: int) -> list[Window]:
    """Cut at turns into windows of at most `window_tokens`; a single longer turn is cut at its sentences.

    Each window but the first shows the end of the one before it, up to `overlap_tokens`.
    """
    pieces = [piece for turn in turns for piece in _pieces(turn, window_tokens)]
    windows: list[Window] = []
    current: list[Turn] = []
    size = 0
    for piece in pieces:
        cost = turn_tokens(piece)
        if current and size + cost > window_tokens:
            windows.append(_window(windows, current, overlap_tokens))
            current, size = [], 0
        current.append(piece)
        size += cost
    if current:
        windows.append(_window(windows, current, overlap_tokens))
    return windows


def halve(window: Window) -> tuple[Window, Window] | None:
    """Give the two halves of a window whose answer was too long; None when it is a single turn."""
    middle = len(window.turns) // 2
    if not middle:
        return None
    first, second = window.turns[:middle], window.turns[middle:]
    return Window(first, window.overlap), Window(second, (*window.overlap, *first))


def last_turns(turns: Sequence[Turn], tokens: int) -> tuple[Turn, ...]:
    """Give as many of the last turns as fit; the oldest of them is cut at its start when it does not fit whole."""
    kept: list[Turn] = []
    for turn in reversed(turns):
        cost = turn_tokens(turn)
        if cost > tokens:
            room = tokens - _TURN_OVERHEAD
            if room >= _TURN_OVERHEAD:
                kept.append(replace(turn, content="…" + turn.content[-room:]))
            break
        kept.append(turn)
        tokens -= cost
    return tuple(reversed(kept))


def turn_tokens(turn: Turn) -> int:
    """Estimate what a turn costs in the prompt."""
    return estimate_tokens(turn.content) + _TURN_OVERHEAD


def _window(before: Sequence[Window], turns: Sequence[Turn], overlap_tokens: int) -> Window:
    return Window(tuple(turns), last_turns(before[-1].turns, overlap_tokens) if before else ())


def _pieces(turn: Turn, window_tokens: int) -> Iterator[Turn]:
    room = max(window_tokens - _TURN_OVERHEAD, _TURN_OVERHEAD)
    if estimate_tokens(turn.content) <= room:
        yield turn
        return
    piece, size = "", 0
    for sentence in _sentences(turn.content, room):
        cost = estimate_tokens(sentence)
        if piece and size + cost > room:
            yield replace(turn, content=piece)
            piece, size = "", 0
        piece += sentence
        size += cost
    if piece.strip():
        yield replace(turn, content=piece)


def _sentences(text: str, room: int) -> Iterator[str]:
    start = 0
    for match in _SENTENCE_END.finditer(text):
        yield from _chunks(text[start : match.end()], room)
        start = match.end()
    yield from _chunks(text[start:], room)


def _chunks(sentence: str, room: int) -> Iterator[str]:
    # a "sentence" without any end (a log, base64) is cut where it has to be; one character is at most one token
    for start in range(0, len(sentence), room):
        yield sentence[start : start + room]
