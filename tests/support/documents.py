"""Small documents in the formats that need a writer."""

import io
import struct
from collections.abc import Sequence

import docx

SECTOR = 512
END = 0xFFFFFFFE
FREE = 0xFFFFFFFF
FAT = 0xFFFFFFFD


def pdf(*pages: str, bookmarks: Sequence[tuple[str, int]] = ()) -> bytes:
    """A PDF with a line of text for each line of a page; bookmarks are titles with the number of their page."""
    count = len(pages)
    first = 5 + 2 * count
    outline = f"/Outlines {first} 0 R" if bookmarks else ""
    kids = " ".join(f"{5 + 2 * index} 0 R" for index in range(count))
    objects = [
        f"<</Type/Catalog/Pages 2 0 R{outline}>>".encode(),
        f"<</Type/Pages/Kids[{kids}]/Count {count}>>".encode(),
        b"<</Type/Font/Subtype/Type0/BaseFont/F/Encoding/UniGB-UCS2-H/DescendantFonts[4 0 R]>>",
        b"<</Type/Font/Subtype/CIDFontType0/BaseFont/F/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>>>",
    ]
    for index, page in enumerate(pages):
        lines = "".join(f"<{line.encode('utf-16-be').hex()}> Tj T*\n" for line in page.split("\n"))
        text = f"BT /F 12 Tf 14 TL 50 800 Td\n{lines}ET".encode()
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents {6 + 2 * index} 0 R"
            "/Resources<</Font<</F 3 0 R>>>>>>".encode(),
            b"<</Length %d>>\nstream\n%s\nendstream" % (len(text), text),
        ]
    if bookmarks:
        last = first + len(bookmarks)
        objects.append(f"<</Type/Outlines/First {first + 1} 0 R/Last {last} 0 R/Count {len(bookmarks)}>>".encode())
        for number, (title, of_page) in enumerate(bookmarks, start=first + 1):
            following = f"/Next {number + 1} 0 R" if number < last else ""
            encoded = title.encode("utf-16-be").hex()
            objects.append(
                f"<</Title<feff{encoded}>/Parent {first} 0 R{following}/Dest[{3 + 2 * of_page} 0 R/Fit]>>".encode()
            )
    return _assembled(objects)


def _assembled(objects: Sequence[bytes]) -> bytes:
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % place for place in places)
    out.write(b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return out.getvalue()


def docx_file(*parts: str | tuple[int, str] | list[list[str]]) -> bytes:
    """A DOCX of paragraphs, headings (level and text) and tables (lists of rows)."""
    document = docx.Document()
    for part in parts:
        if isinstance(part, str):
            document.add_paragraph(part)
        elif isinstance(part, tuple):
            document.add_heading(part[1], level=part[0])
        else:
            table = document.add_table(rows=0, cols=len(part[0]))
            for row in part:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def doc(*pieces: str, encrypted: bool = False) -> bytes:
    """A DOC of Word 97 whose text is in these pieces, those of Latin characters only in 8 bits each."""
    text_at = 0x200
    text = b""
    starts, places = [0], []
    for piece in pieces:
        at = text_at + len(text)
        if piece.isascii():
            places.append(at * 2 | 0x40000000)
            text += piece.encode("cp1252")
        else:
            places.append(at)
            text += piece.encode("utf-16-le")
        starts.append(starts[-1] + len(piece))
    table = b"".join(struct.pack("<I", start) for start in starts)
    table += b"".join(struct.pack("<HIH", 0, place, 0) for place in places)
    properties = b"\x01" + struct.pack("<H", 3) + b"\x02\x02\x02"
    clx = properties + b"\x02" + struct.pack("<I", len(table)) + table
    main = bytearray(text_at)
    struct.pack_into("<HH", main, 0, 0xA5EC, 0xC1)
    struct.pack_into("<H", main, 0x0A, 0x0200 | (0x0100 if encrypted else 0))
    struct.pack_into("<I", main, 0x4C, starts[-1])
    struct.pack_into("<II", main, 0x01A2, 0, len(clx))
    return _compound({"WordDocument": bytes(main) + text, "1Table": clx})


def _compound(streams: dict[str, bytes]) -> bytes:
    """An OLE file, each stream of it large enough to need no mini stream."""
    padded = {name: content.ljust(4096, b"\0") for name, content in streams.items()}
    sectors: list[bytes] = []
    chains: list[int] = []
    starts: dict[str, int] = {}
    for name, content in padded.items():
        starts[name] = len(sectors)
        parts = [content[at : at + SECTOR].ljust(SECTOR, b"\0") for at in range(0, len(content), SECTOR)]
        chains += [*range(len(sectors) + 1, len(sectors) + len(parts)), END]
        sectors += parts
    directory_at = len(sectors)
    entries = _entry("Root Entry", 5, END, 0, child=1)
    for index, (name, content) in enumerate(padded.items(), start=1):
        entries += _entry(name, 2, starts[name], len(content), right=index + 1 if index < len(padded) else FREE)
    sectors.append(entries.ljust(SECTOR, b"\0"))
    chains += [END, FAT]
    fat_at = directory_at + 1
    sectors.append(struct.pack("<128I", *chains, *[FREE] * (128 - len(chains))))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    head += struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<9I", 0, 1, directory_at, 0, 4096, END, 0, END, 0)
    head += struct.pack("<109I", fat_at, *[FREE] * 108)
    return head + b"".join(sectors)


def _entry(name: str, kind: int, start: int, size: int, *, right: int = FREE, child: int = FREE) -> bytes:
    encoded = (name + "\0").encode("utf-16-le")
    entry = encoded.ljust(64, b"\0") + struct.pack("<HBB", len(encoded), kind, 1)
    return entry + struct.pack("<III", FREE, right, child) + bytes(36) + struct.pack("<IQ", start, size)
