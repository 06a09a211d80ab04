"""What a document is, inside the service."""

from dataclasses import dataclass
from enum import StrEnum


class DocumentType(StrEnum):
    """The formats that are read."""

    PDF = "pdf"
    DOCX = "docx"
    DOC = "doc"
    TXT = "txt"
    JSON = "json"
    MD = "md"
    XML = "xml"


@dataclass(frozen=True, slots=True)
class Block:
    """A heading or a paragraph, as a format's reader finds it.

    `level` is the heading's, from 1; None for a paragraph. `page` is from 1, None where the format has no pages.
    """

    text: str
    level: int | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a document that makes sense to a reader, and where it stands.

    `number` counts from 1; `heading` are the headings over it, the outermost first. The first `overlap` characters of
    `text` repeat the end of the piece before.
    """

    text: str
    number: int
    heading: tuple[str, ...] = ()
    page: int | None = None
    overlap: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was read: at least one piece, in its order. `pages` is None where the format has none."""

    pieces: tuple[Piece, ...]
    pages: int | None = None

    @property
    def text(self) -> str:
        """The whole text, with every heading once, and nothing repeated."""
        lines: list[str] = []
        above: tuple[str, ...] = ()
        for piece in self.pieces:
            shared = next(
                (i for i, pair in enumerate(zip(piece.heading, above, strict=False)) if pair[0] != pair[1]),
                min(len(piece.heading), len(above)),
            )
            lines += piece.heading[shared:]
            above = piece.heading
            lines.append(piece.text[piece.overlap :].strip())
        return "\n".join(line for line in lines if line)
