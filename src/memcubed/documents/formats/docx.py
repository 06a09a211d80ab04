"""DOCX: paragraphs, headings and tables in their order."""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final
from zipfile import ZipFile

import docx
from docx.oxml.ns import qn
from docx.table import Table
from docx.text.paragraph import Paragraph

from memcubed.documents.formats.limits import ReadingLimits
from memcubed.documents.model import Block
from memcubed.errors import DocumentError

_MAX_UNPACKED_BYTES: Final = 500_000_000
_MAX_PARTS: Final = 10_000
_HEADING: Final = re.compile(r"(?:heading|标题)\s*(\d)", re.IGNORECASE)
_TITLE: Final = re.compile(r"title|标题", re.IGNORECASE)


def read(file: BinaryIO, limits: ReadingLimits) -> Iterator[Block]:
    """The blocks of the body; headers, footers and comments are left out."""
    del limits  # the format has no pages; characters are counted by the caller
    _refuse_bombs(file)
    for item in docx.Document(file).iter_inner_content():
        if isinstance(item, Paragraph):
            yield Block(item.text, level=_level(item))
        else:
            yield from (Block(row) for row in _rows(item))


def _refuse_bombs(file: BinaryIO) -> None:
    with ZipFile(file) as archive:
        parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    if unpacked > _MAX_UNPACKED_BYTES or len(parts) > _MAX_PARTS:
        raise DocumentError("The DOCX unpacks to far more than a document holds.")
    file.seek(0)


def _level(paragraph: Paragraph) -> int | None:
    name = "" if paragraph.style is None else paragraph.style.name or ""
    match = _HEADING.fullmatch(name)
    if match:
        return int(match.group(1))
    return 1 if _TITLE.fullmatch(name) else None


def _rows(table: Table) -> Iterator[str]:
    # Not table.rows: its cells are looked up by place, which takes long in long tables.
    for row in table._tbl.tr_lst:  # noqa: SLF001 - python-docx has no other way
        cells = [" ".join(part.text for part in cell.iter(qn("w:p")) if part.text) for cell in row.tc_lst]
        text = " | ".join(cell for cell in cells if cell)
        if text:
            yield text
