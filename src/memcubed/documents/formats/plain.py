"""TXT: its paragraphs."""

from collections.abc import Iterator
from typing import BinaryIO

from memcubed.documents.formats.decoding import decoded
from memcubed.documents.formats.limits import ReadingLimits
from memcubed.documents.model import Block


def read(file: BinaryIO, limits: ReadingLimits) -> Iterator[Block]:
    """A block a line."""
    del limits  # characters are counted by the caller
    return (Block(line) for line in decoded(file.read()).splitlines())
