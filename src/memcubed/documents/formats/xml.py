"""XML: a line `name: text` for each element with text, under its headings."""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from memcubed.documents.formats.decoding import decoded
from memcubed.documents.formats.limits import ReadingLimits
from memcubed.documents.model import Block
from memcubed.errors import DocumentError

_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"'][^>]*\?>")
_HEAD_BYTES: Final = 200
_HEADING: Final = re.compile(r"title|heading|head|h[1-6]", re.IGNORECASE)


def read(file: BinaryIO, limits: ReadingLimits) -> Iterator[Block]:
    """Elements named title, heading, head or h1 to h6 are headings; entities of the file's own are refused."""
    del limits  # characters are counted by the caller
    try:
        root = fromstring(_text(file.read()))
    except DefusedXmlException as error:
        raise DocumentError("The XML declares entities, which are not read.") from error
    except ParseError as error:
        raise DocumentError(f"The XML is not well-formed: {error}.") from error
    yield from _blocks(root, 1)


def _text(content: bytes) -> str:
    """Decoded here, since the parser knows few encodings."""
    declared = _DECLARATION.match(content[:_HEAD_BYTES].decode("latin-1"))
    try:
        text = content.decode(declared.group(1)) if declared else decoded(content)
    except (LookupError, UnicodeDecodeError):
        text = decoded(content)
    return _DECLARATION.sub("", text.removeprefix("\ufeff"), count=1)


def _blocks(element: Element, level: int) -> Iterator[Block]:
    """`level` is that of a heading in this element."""
    name = _local(element)
    own = ", ".join(f"{key.rpartition('}')[2]}={value}" for key, value in element.attrib.items() if value.strip())
    if _is_text(element):
        text = " ".join("".join(element.itertext()).split())
        if text and _HEADING.fullmatch(name):
            yield Block(text, level=level)
        elif text:
            yield Block(f"{name} ({own}): {text}" if own else f"{name}: {text}")
        elif own:
            yield Block(f"{name}: {own}")
        return
    if own:
        yield Block(f"{name}: {own}")
    children = [child for child in element if isinstance(child.tag, str)]
    has_heading = any(_HEADING.fullmatch(_local(child)) for child in children)
    for child in children:
        is_heading = _HEADING.fullmatch(_local(child)) is not None
        yield from _blocks(child, level if is_heading or not has_heading else level + 1)


def _is_text(element: Element) -> bool:
    """Whether it has text of its own, perhaps with marked words in it."""
    if len(element) == 0 or (element.text or "").strip():
        return True
    return any((child.tail or "").strip() for child in element)


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
