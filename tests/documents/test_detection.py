"""What a file is, and files inside JSON bodies."""

import base64

import pytest

from memcubed.documents.detection import detect
from memcubed.documents.inline import is_url, read_inline
from memcubed.documents.model import DocumentType
from memcubed.errors import Base64CharactersError, FileTooLargeError, InvalidRequestError, MalformedBase64Error
from tests.support.documents import doc, docx_file, pdf

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.mark.parametrize(
    ("content", "name", "media_type", "expected"),
    [
        (pdf("x"), "named.txt", "", DocumentType.PDF),
        (docx_file("x"), "", "", DocumentType.DOCX),
        (doc("x"), "old.doc", "", DocumentType.DOC),
        (doc("x"), "table.xls", "", None),
        (b"PK\x03\x04 and more", "a.docx", "", None),
        (b"# Title", "notes.md", "", DocumentType.MD),
        (b"# Title", "", "", DocumentType.MD),
        (b"plain", "", "text/markdown; charset=utf-8", DocumentType.MD),
        (b'{"a": 1}', "", "", DocumentType.JSON),
        (b"\xef\xbb\xbf<?xml version='1.0'?><a/>", "", "", DocumentType.XML),
        ("中文".encode("gb18030"), "a.TXT", "", DocumentType.TXT),
        ("中文".encode("utf-16"), "a.txt", "", DocumentType.TXT),
        (b"just words", "", "", DocumentType.TXT),
        (b"just words", "report.pdf", "", None),
        (b"a,b", "table.csv", "", None),
        (PNG, "picture.txt", "", None),
    ],
)
def test_detection(content: bytes, name: str, media_type: str, expected: DocumentType | None) -> None:
    assert detect(content, name=name, media_type=media_type) is expected


def test_base64_with_and_without_padding_and_lines() -> None:
    content = bytes(range(256)) + b"!"
    encoded = base64.encodebytes(content).decode()
    assert read_inline(encoded, "f", max_bytes=1000).content == content
    assert read_inline(encoded.strip().rstrip("="), "f", max_bytes=1000).content == content
    assert read_inline(base64.urlsafe_b64encode(content).decode(), "f", max_bytes=1000).content == content


def test_data_urls() -> None:
    file = read_inline("data:text/Plain;charset=utf-8;base64,SGk=", "f", max_bytes=10)
    assert (file.content, file.media_type) == (b"Hi", "text/plain")
    assert read_inline("data:,a%20b", "f", max_bytes=10).content == b"a b"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("SG k=!", Base64CharactersError),
        ("我", Base64CharactersError),
        ("SGk==", MalformedBase64Error),
        ("SGkaX", MalformedBase64Error),
        ("S=Gk", MalformedBase64Error),
        ("====", MalformedBase64Error),
        ("data:text/plain", InvalidRequestError),
        ("A" * 100, FileTooLargeError),
        ("data:," + "a" * 100, FileTooLargeError),
    ],
)
def test_what_is_no_file(text: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^file\[0\]"):
        read_inline(text, "file[0]", max_bytes=50)


def test_urls() -> None:
    assert is_url("https://example.com/a.pdf")
    assert is_url(" ftp://example.com/a.pdf")
    assert not is_url("data:text/plain;base64,SGk=")
    assert not is_url("aHR0cHM6Ly9leGFtcGxlLmNvbQ==")
