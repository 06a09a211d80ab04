"""Documents are read in a process of their own: what they say, and what becomes of those that would do harm."""

import io
import json
import re
import struct
import zipfile

import pytest

from memcubed.documents import Document, DocumentParser, DocumentType, ParserLimits
from memcubed.errors import DocumentError
from tests.support.documents import doc, docx_file, pdf

MEGABYTE = 1_000_000


async def parsed(content: bytes, kind: DocumentType, **limits: int) -> Document:
    return await DocumentParser(ParserLimits(**limits)).parse(content, kind)


async def refused(content: bytes, kind: DocumentType, **limits: int) -> str:
    with pytest.raises(DocumentError) as raised:
        await parsed(content, kind, **limits)
    return raised.value.message


def places(document: Document) -> list[tuple[tuple[str, ...], int | None, str]]:
    return [(piece.heading, piece.page, piece.text) for piece in document.pieces]


async def test_pdf_pages_and_bookmarks() -> None:
    content = pdf(
        "采购制度", "办公类软件的采购上限是800元。\nThe limit is 800 yuan.", bookmarks=[("总则", 1), ("采购上限", 2)]
    )
    document = await parsed(content, DocumentType.PDF)
    assert document.pages == 2
    assert places(document) == [
        (("总则",), 1, "采购制度"),
        (("采购上限",), 2, "办公类软件的采购上限是800元。\nThe limit is 800 yuan."),
    ]
    assert [piece.number for piece in document.pieces] == [1, 2]


async def test_pdf_lines_that_the_page_broke_are_joined() -> None:
    content = pdf(
        "公司规定办公类软件的采购\n上限是每年八百元人民币\n整。",
        "The purchasing limit for of-\nfice software is 800 yuan.",
    )
    document = await parsed(content, DocumentType.PDF)
    assert "采购上限是每年八百元人民币整。" in document.text
    assert "office software is 800 yuan." in document.text


async def test_pdf_of_too_many_pages() -> None:
    reason = await refused(pdf(*["x"] * 30), DocumentType.PDF, pages=20)
    assert reason == "The PDF has 30 pages; at most 20 are read."


async def test_pdf_without_text_is_told_apart() -> None:
    assert "no text" in await refused(pdf(""), DocumentType.PDF)


async def test_docx_headings_and_tables() -> None:
    content = docx_file(
        (0, "员工手册"),
        "欢迎。",
        (1, "休假"),
        (2, "年假"),
        "每年十天。",
        [["工龄", "天数"], ["五年", "15"]],
        (1, "报销"),
        "三日内。",
    )
    document = await parsed(content, DocumentType.DOCX)
    assert places(document) == [
        (("员工手册",), None, "欢迎。"),
        (("休假", "年假"), None, "每年十天。\n工龄 | 天数\n五年 | 15"),
        (("报销",), None, "三日内。"),
    ]


async def test_doc_pieces_fields_and_tables() -> None:
    text = (
        "采购上限\r办公类软件是800元。\r",
        'See \x13HYPERLINK "http://x"\x14the page\x15 for more.\r',
        "名\x07值\x07\x07\r",
    )
    document = await parsed(doc(*text), DocumentType.DOC)
    assert document.text == "采购上限\n办公类软件是800元。\nSee the page for more.\n名 | 值"


async def test_doc_with_a_password() -> None:
    assert await refused(doc("x", encrypted=True), DocumentType.DOC) == "The DOC is protected by a password."


async def test_markdown_headings_but_not_in_code() -> None:
    content = (
        "---\ntitle: t\n---\n# A #\nfirst\n\n## B\n```sh\n# no heading\n```\nC\n===\n- item\n---\nlast\n### C#\nsharp"
    )
    document = await parsed(content.encode(), DocumentType.MD)
    assert places(document) == [
        ((), None, "title: t"),
        (("A",), None, "first"),
        (("A", "B"), None, "```sh\n# no heading\n```"),
        (("C",), None, "- item\n---\nlast"),
        (("C", "C#"), None, "sharp"),
    ]


async def test_markdown_without_front_matter() -> None:
    document = await parsed("# A\n## B\nfirst\n***\n## C\nsecond\n".encode("utf-16"), DocumentType.MD)
    assert places(document) == [(("A", "B"), None, "first\n***"), (("A", "C"), None, "second")]


async def test_json_values_under_their_paths() -> None:
    content = {
        "team": {"lead": "王磊", "tags": ["a", "b"], "offices": [{"city": "Hangzhou", "seats": 40}]},
        "year": 2025,
    }
    document = await parsed(json.dumps(content).encode(), DocumentType.JSON)
    assert places(document) == [
        ((), None, "year: 2025"),
        (("team",), None, "lead: 王磊\ntags: a, b"),
        (("team", "offices", "offices[0]"), None, "city: Hangzhou\nseats: 40"),
    ]


async def test_json_lines() -> None:
    assert (await parsed(b'{"a": 1}\n{"a": 2}\n', DocumentType.JSON)).text == "a: 1\na: 2"


async def test_json_that_is_not_valid() -> None:
    assert "line 1, column 7" in await refused(b'{"a": x}', DocumentType.JSON)


async def test_xml_elements_under_their_titles() -> None:
    content = """<?xml version="1.0" encoding="GBK"?>
    <book><title>手册</title>
    <chapter id="1"><title>休假</title><p>每年<b>十</b>天。</p></chapter>
    <limit unit="yuan">800</limit></book>"""
    document = await parsed(content.encode("gbk"), DocumentType.XML)
    assert places(document) == [
        (("手册",), None, "chapter: id=1"),
        (("手册", "休假"), None, "p: 每年十天。\nlimit (unit=yuan): 800"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "big5"])
async def test_txt_in_any_encoding(encoding: str) -> None:
    text = "報銷需要三日內提出。" * 20 if encoding == "big5" else "报销需要三日内提出。"
    assert (await parsed(text.encode(encoding), DocumentType.TXT)).pieces[0].text.startswith(text[:10])


async def test_txt_that_is_no_text() -> None:
    assert "no text" in await refused(bytes(range(256)) * 10, DocumentType.TXT)


async def test_billion_laughs() -> None:
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "ha"}">' for i in range(10))
    reason = await refused(f"<!DOCTYPE x [{entities}]><x>&a9;</x>".encode(), DocumentType.XML)
    assert reason == "The XML declares entities, which are not read."


async def test_entity_that_names_a_file() -> None:
    content = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
    assert "entities" in await refused(content, DocumentType.XML)


async def test_zip_bomb() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * MEGABYTE)
    bomb = bytearray(out.getvalue())
    struct.pack_into("<I", bomb, bomb.index(b"PK\x01\x02") + 24, 600 * MEGABYTE)
    assert "unpacks to far more" in await refused(bytes(bomb), DocumentType.DOCX)


async def test_zip_bomb_that_lies_about_its_size() -> None:
    content = docx_file("text")
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as whole, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in whole.infolist():
            body = whole.read(part)
            if part.filename == "word/document.xml":
                body = body.replace(b"text", b"x" * 40 * MEGABYTE)
            archive.writestr(part.filename, body)
    assert "memory" in await refused(out.getvalue(), DocumentType.DOCX, memory_bytes=120 * MEGABYTE)


async def test_more_memory_than_allowed() -> None:
    content = json.dumps(list(range(1_000_000))).encode()
    assert "memory" in await refused(content, DocumentType.JSON, memory_bytes=100 * MEGABYTE)


async def test_longer_than_allowed() -> None:
    # Five hundred pages that all show the same long text: a small file, and minutes of work.
    content = pdf("word " * 40_000, *[""] * 499)
    content = re.sub(rb"/Contents (\d+) 0 R", lambda m: b"/Contents 6 0 R".ljust(len(m.group())), content)
    reason = await refused(content, DocumentType.PDF, seconds=1)
    assert reason == "Reading the document takes longer than 1 seconds."


async def test_more_text_than_allowed() -> None:
    assert "more than 1000 characters" in await refused(b"word " * 300, DocumentType.TXT, characters=1000)


async def test_larger_than_allowed() -> None:
    assert "at most 10 are read" in await refused(b"x" * 11, DocumentType.TXT, bytes=10)


@pytest.mark.parametrize("kind", [DocumentType.PDF, DocumentType.DOCX, DocumentType.DOC, DocumentType.XML])
async def test_damaged_file(kind: DocumentType) -> None:
    whole = {
        DocumentType.PDF: b"%PDF-1.7\nnothing of it",
        DocumentType.DOCX: docx_file("text")[:500],
        DocumentType.DOC: doc("text")[:600],
        DocumentType.XML: b"<a><b></a>",
    }
    reason = await refused(whole[kind], kind)
    assert kind.upper() in reason


async def test_text_that_cannot_be_stored_is_made_storable() -> None:
    text = (await parsed(b'{"a": "x\\u0000y\\ud800z"}', DocumentType.JSON)).text
    assert text == "a: x y z"
