"""Coarse memories: the raw turns, so that the very next search finds what was just said."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from memcubed.memories.model import FAST_MODE_TAG, MemoryKind, MemoryLayer, NewMemory, least_trusted
from memcubed.messages.model import Role, Turn

_MAX_CHARACTERS: Final = 1000
_KEY_CHARACTERS: Final = 40


def coarse_memories(turns: Sequence[Turn]) -> list[NewMemory]:
    """One working memory an exchange (what was said up to and with the answer), cut when it is long."""
    return [memory for exchange in _exchanges(turns) for memory in _cut(exchange)]


def _exchanges(turns: Sequence[Turn]) -> Iterator[list[Turn]]:
    exchange: list[Turn] = []
    for turn in turns:
        if turn.role is Role.SYSTEM or not turn.content.strip():
            continue
        answered = bool(exchange) and exchange[-1].role is Role.ASSISTANT
        changes_speaker = bool(exchange) and turn.speaker is not None
        if turn.role is Role.USER and (answered or changes_speaker):
            yield exchange
            exchange = []
        exchange.append(turn)
    if exchange:
        yield exchange


def _cut(exchange: Sequence[Turn]) -> Iterator[NewMemory]:
    lines = [f"{turn.speaker or turn.role}: {turn.content.strip()}" for turn in exchange]
    ends = list(accumulate(len(line) + 1 for line in lines))
    text = "\n".join(lines)
    key = exchange[0].content.strip()[:_KEY_CHARACTERS]
    for start in range(0, len(text), _MAX_CHARACTERS):
        piece = text[start : start + _MAX_CHARACTERS]
        # Only the turns that the piece holds something of: an exchange of thousands is cut into hundreds of pieces.
        first, last = bisect_right(ends, start + 1), bisect_left(ends, start + len(piece))
        turns = exchange[first : last + 1]
        yield NewMemory(
            kind=MemoryKind.FACT,
            layer=MemoryLayer.WORKING,
            key=key,
            value=piece,
            index_text=piece,
            source_ids=tuple(turn.message_id for turn in turns),
            source_role=least_trusted(turn.role for turn in turns),
            speaker=exchange[0].speaker,
            told_at=exchange[-1].chat_time,
            tags=(FAST_MODE_TAG,),
        )
