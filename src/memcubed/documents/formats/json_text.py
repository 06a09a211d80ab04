"""JSON, or JSON Lines: a line `path: value` for each value, under the path of what holds it."""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from memcubed.documents.formats.decoding import decoded
from memcubed.documents.formats.limits import ReadingLimits
from memcubed.documents.model import Block
from memcubed.errors import DocumentError


def read(file: BinaryIO, limits: ReadingLimits) -> Iterator[Block]:
    """Objects and lists become sections, what is in them lines."""
    del limits  # characters are counted by the caller
    text = decoded(file.read())
    try:
        values = [json.loads(text)]
    except json.JSONDecodeError as error:
        values = _lines(text, error)
    for value in values:
        yield from _blocks(value, "", 1)


def _lines(text: str, error: json.JSONDecodeError) -> list[Any]:
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError:
        where = f"line {error.lineno}, column {error.colno}"
        raise DocumentError(f"The JSON is not valid: {error.msg} at {where}.") from error


def _blocks(value: object, name: str, level: int) -> Iterator[Block]:
    match value:
        case dict():
            items = [(str(key), item) for key, item in value.items()]
        case list() if any(isinstance(item, dict | list) for item in value):
            items = [(f"{name}[{index}]", item) for index, item in enumerate(value)]
        case list():
            yield Block(_line(name, ", ".join(_shown(item) for item in value)))
            return
        case _:
            yield Block(_line(name, _shown(value)))
            return
    # Plain values first: what comes after the heading of an inner section would count as part of it.
    inner = [(key, item) for key, item in items if isinstance(item, dict) or _holds_objects(item)]
    for key, item in items:
        if not (isinstance(item, dict) or _holds_objects(item)):
            yield from _blocks(item, key, level)
    for key, item in inner:
        yield Block(key, level=level)
        yield from _blocks(item, key, level + 1)


def _holds_objects(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)


def _line(name: str, value: str) -> str:
    return f"{name}: {value}" if name else value


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
