"""PDF: the text of each page, under the bookmarks that lead to it."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, BinaryIO, Final

from pypdf import PasswordType, PdfReader
from pypdf.errors import DependencyError, PyPdfError

from memcubed.documents.formats.limits import ReadingLimits
from memcubed.documents.formats.lines import unwrapped
from memcubed.documents.model import Block
from memcubed.errors import DocumentError

_MAX_BOOKMARKS: Final = 5000
_PROTECTED: Final = "The PDF is protected by a password."


def read(file: BinaryIO, limits: ReadingLimits) -> Iterator[Block]:
    """The blocks of every page."""
    reader = PdfReader(file, strict=False)
    if reader.is_encrypted:
        _open(reader)
    pages = len(reader.pages)
    if pages > limits.pages:
        raise DocumentError(f"The PDF has {pages} pages; at most {limits.pages} are read.")
    bookmarks = _bookmarks(reader)
    for number, page in enumerate(reader.pages, start=1):
        for level, title in bookmarks.get(number, ()):
            yield Block(title, level=level, page=number)
        for paragraph in unwrapped(page.extract_text()):
            yield Block(paragraph, page=number)


def _open(reader: PdfReader) -> None:
    try:
        if reader.decrypt("") is PasswordType.NOT_DECRYPTED:
            raise DocumentError(_PROTECTED)
    except DependencyError as error:
        raise DocumentError(_PROTECTED) from error


def _bookmarks(reader: PdfReader) -> Mapping[int, list[tuple[int, str]]]:
    """The bookmarks by page, with their levels; a document whose bookmarks are broken has none."""
    found: dict[int, list[tuple[int, str]]] = {}
    try:
        for level, entry in _flat(reader.outline, 1):
            page = reader.get_destination_page_number(entry)
            title = " ".join(str(entry.title or "").split())
            if page is not None and title:
                found.setdefault(page + 1, []).append((level, title))
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    count = sum(len(entries) for entries in found.values())
    in_order = all(before <= after for before, after in pairwise(found))
    return found if in_order and count <= _MAX_BOOKMARKS else {}


def _flat(outline: list[Any], level: int) -> Iterator[tuple[int, Any]]:
    for entry in outline:
        if isinstance(entry, list):
            yield from _flat(entry, level + 1)
        else:
            yield level, entry
