"""One reader a format. They run in a process of their own, whose time and memory are limited."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import BinaryIO, Final, Protocol, cast

from memcubed.documents.formats.limits import ReadingLimits
from memcubed.documents.model import Block, DocumentType

_MODULES: Final = {
    DocumentType.PDF: "pdf",
    DocumentType.DOCX: "docx",
    DocumentType.DOC: "doc",
    DocumentType.TXT: "plain",
    DocumentType.JSON: "json_text",
    DocumentType.MD: "markdown",
    DocumentType.XML: "xml",
}

Reader = Callable[[BinaryIO, ReadingLimits], Iterator[Block]]
"""Reads a seekable file. Raises DocumentError, or whatever its library raises for a file that is broken."""


class _Format(Protocol):
    read: Reader


def reader(kind: DocumentType) -> Reader:
    """The reader of a format; only then its library is imported."""
    module = import_module(f"{__name__}.{_MODULES[kind]}")
    return cast("_Format", module).read
