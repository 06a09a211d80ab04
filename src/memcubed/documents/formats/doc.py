"""DOC of Word 97 to 2003: the text of its piece table.

After [MS-DOC], sections 2.4.1 (retrieving text), 2.5.1 (Fib) and 2.9.38 (Clx).
"""

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

import olefile

from memcubed.documents.formats.limits import ReadingLimits
from memcubed.documents.model import Block
from memcubed.errors import DocumentError

_WORD_97: Final = 0xC1
_MAGIC: Final = 0xA5EC
_ENCRYPTED: Final = 0x0100
_TABLE_1: Final = 0x0200
_FLAGS_AT: Final = 0x0A
_TEXT_LENGTH_AT: Final = 0x4C
_CLX_AT: Final = 0x01A2
_FIB_BYTES: Final = 0x01AA
_PROPERTIES: Final = 1
_PIECES: Final = 2
_COMPRESSED: Final = 0x40000000

_FIELD_BEGIN, _FIELD_RESULT, _FIELD_END = "\x13", "\x14", "\x15"
_NON_BREAKING_HYPHEN: Final = "\x1e"
_PARAGRAPH_ENDS: Final = re.compile(r"[\r\n\x0b\x0c]")
_INVISIBLE: Final = re.compile(r"[\x00-\x08\x0e-\x1f\ue000-\uf8ff]")


def read(file: BinaryIO, limits: ReadingLimits) -> Iterator[Block]:
    """The paragraphs and table rows of the main text; styles are not read, so there are no headings."""
    del limits  # the format keeps no reliable number of pages; characters are counted by the caller
    with olefile.OleFileIO(file) as ole:
        if ole.exists("EncryptedPackage"):
            raise DocumentError("The DOC is protected by a password.")
        if not ole.exists("WordDocument"):
            raise DocumentError("The file is no Word document.")
        main = ole.openstream("WordDocument").read()
        if len(main) < _FIB_BYTES:
            raise DocumentError("The DOC is cut short.")
        magic, version = struct.unpack_from("<HH", main)
        (flags,) = struct.unpack_from("<H", main, _FLAGS_AT)
        if magic != _MAGIC or version < _WORD_97:
            raise DocumentError("The DOC is of a Word older than 97; save it as DOCX.")
        if flags & _ENCRYPTED:
            raise DocumentError("The DOC is protected by a password.")
        table = ole.openstream("1Table" if flags & _TABLE_1 else "0Table").read()
    text = _without_fields(_text(main, table)).replace(_NON_BREAKING_HYPHEN, "-")
    for line in _PARAGRAPH_ENDS.split(text):
        cells = [_INVISIBLE.sub("", cell).strip() for cell in line.split("\x07")]
        yield Block(" | ".join(cell for cell in cells if cell))


def _text(main: bytes, table: bytes) -> str:
    """The main text: the pieces' characters, without footnotes, headers and comments behind them."""
    (length,) = struct.unpack_from("<I", main, _TEXT_LENGTH_AT)
    places = _piece_table(main, table)
    count = (len(places) - 4) // 12
    starts = struct.unpack_from(f"<{count + 1}I", places)
    parts: list[str] = []
    for index in range(count):
        begin, end = starts[index], min(starts[index + 1], length)
        if end <= begin:
            continue
        (place,) = struct.unpack_from("<I", places, 4 * (count + 1) + 8 * index + 2)
        if place & _COMPRESSED:
            at = (place & ~_COMPRESSED) // 2
            parts.append(main[at : at + end - begin].decode("cp1252", "replace"))
        else:
            parts.append(main[place : place + 2 * (end - begin)].decode("utf-16-le", "replace"))
    return "".join(parts)


def _piece_table(main: bytes, table: bytes) -> bytes:
    at, size = struct.unpack_from("<II", main, _CLX_AT)
    clx = table[at : at + size]
    place = 0
    while place + 5 <= len(clx):
        if clx[place] == _PIECES:
            (length,) = struct.unpack_from("<I", clx, place + 1)
            return clx[place + 5 : place + 5 + length]
        if clx[place] != _PROPERTIES:
            break
        (skipped,) = struct.unpack_from("<H", clx, place + 1)
        place += 3 + skipped
    raise DocumentError("The DOC has no table of its text; it may be damaged.")


def _without_fields(text: str) -> str:
    """Fields as what they show: `{HYPERLINK "…" | the words}` is the words."""
    kept: list[str] = []
    hidden: list[bool] = []
    for character in text:
        if character == _FIELD_BEGIN:
            hidden.append(True)
        elif character == _FIELD_RESULT and hidden:
            hidden[-1] = False
        elif character == _FIELD_END and hidden:
            hidden.pop()
        elif not any(hidden):
            kept.append(character)
    return "".join(kept)
