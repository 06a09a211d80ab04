"""Which format a file is in: by what it begins with, then by its name, then by what its sender calls it."""

import io
import re
from pathlib import PurePath
from typing import BinaryIO, Final
from zipfile import BadZipFile, ZipFile

from memcubed.documents.model import DocumentType

_SUFFIXES: Final = {
    "pdf": DocumentType.PDF,
    "docx": DocumentType.DOCX,
    "doc": DocumentType.DOC,
    "txt": DocumentType.TXT,
    "text": DocumentType.TXT,
    "json": DocumentType.JSON,
    "jsonl": DocumentType.JSON,
    "md": DocumentType.MD,
    "markdown": DocumentType.MD,
    "xml": DocumentType.XML,
}
_MEDIA_TYPES: Final = {
    "application/pdf": DocumentType.PDF,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": DocumentType.DOCX,
    "application/msword": DocumentType.DOC,
    "text/plain": DocumentType.TXT,
    "application/json": DocumentType.JSON,
    "text/markdown": DocumentType.MD,
    "text/x-markdown": DocumentType.MD,
    "application/xml": DocumentType.XML,
    "text/xml": DocumentType.XML,
}
_PDF: Final = b"%PDF-"
_PDF_WITHIN: Final = 1024
_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TEXTS: Final = frozenset({DocumentType.TXT, DocumentType.JSON, DocumentType.MD, DocumentType.XML})
_HEAD: Final = 2048
_OTHER: Final = re.compile(rb"\x89PNG|\xff\xd8\xff|GIF8|\x7fELF|\x1f\x8b|Rar!|7z\xbc\xaf|\{\\rtf")
_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


def detect(file: bytes | BinaryIO, *, name: str = "", media_type: str = "") -> DocumentType | None:
    """The format of a file, or None when it is none of those that are read. Leaves a file open, at its beginning."""
    content = io.BytesIO(file) if isinstance(file, bytes) else file
    content.seek(0)
    head = content.read(_HEAD)
    content.seek(0)
    if _PDF in head[:_PDF_WITHIN]:
        return DocumentType.PDF
    if head.startswith(_ZIP):
        return DocumentType.DOCX if _is_docx(content) else None
    if head.startswith(_OLE):
        return DocumentType.DOC if PurePath(name).suffix.lower() in {"", ".doc", ".dot", ".wps"} else None
    return _text_format(head, name, media_type)


def _text_format(head: bytes, name: str, media_type: str) -> DocumentType | None:
    if _OTHER.match(head) or (b"\x00" in head and not head.startswith(_MARKS)):
        return None
    suffix = PurePath(name).suffix.lower().lstrip(".")
    said = _SUFFIXES.get(suffix) or _MEDIA_TYPES.get(media_type.partition(";")[0].strip().lower())
    if said is None and not suffix:
        said = _by_look(head)
    # Text under the name of another format is no such file, and what has another format's name is not taken for text.
    return said if said in _TEXTS else None


def _by_look(head: bytes) -> DocumentType:
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if begin.startswith(b"<?xml"):
        return DocumentType.XML
    if begin.startswith((b'{"', b"[{", b"[\n", b"{\n")):
        return DocumentType.JSON
    return DocumentType.MD if re.search(rb"(?m)^#{1,6} \S", head) else DocumentType.TXT


def _is_docx(content: BinaryIO) -> bool:
    try:
        with ZipFile(content) as archive:
            return "word/document.xml" in archive.namelist()
    except (BadZipFile, ValueError, OSError):
        return False
    finally:
        content.seek(0)
