"""The process that reads one document: `python -m memcubed.documents.child`, which only the parser starts.

The file is its standard input, the answer JSON on its standard output: `{"pieces": [...], "pages": n}` or
`{"error": "why"}`. It limits itself before it looks at the file.
"""

import json
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any, Final

from memcubed.documents.cutting import cut
from memcubed.documents.formats import reader
from memcubed.documents.formats.limits import ReadingLimits
from memcubed.documents.model import Block, DocumentType
from memcubed.errors import DocumentError
from memcubed.language.redaction import redact

_BYTES_A_CHARACTER: Final = 12  # of the answer: a character has up to four, and headings and overlap are repeated
_FEWEST_ANSWER_BYTES: Final = 64_000_000


def main() -> None:
    """Read the document that is described by the first argument."""
    request = json.loads(sys.argv[1])
    kind = DocumentType(request["type"])
    limits = ReadingLimits(pages=request["pages"], characters=request["characters"])
    _limit(request["seconds"], request["memory_bytes"], limits.characters)
    json.dump(_answer(kind, limits, redacts=request["redact"]), sys.stdout, ensure_ascii=True)


def _limit(seconds: int, memory_bytes: int, characters: int) -> None:
    answer = max(_FEWEST_ANSWER_BYTES, characters * _BYTES_A_CHARACTER)
    for kind, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, answer),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # macOS does not know all of them; the parser has a clock as well
            resource.setrlimit(kind, (most, most))


def _answer(kind: DocumentType, limits: ReadingLimits, *, redacts: bool) -> dict[str, Any]:
    try:
        counted = _Counted(limits.characters)
        blocks = counted.blocks(reader(kind)(sys.stdin.buffer, limits))
        # Before they are cut, so that no cut goes through what is redacted.
        pieces = [asdict(piece) for piece in cut(map(_redacted, blocks) if redacts else blocks)]
    except DocumentError as error:
        return {"error": error.message}
    except MemoryError:
        return {"error": "Reading the document takes more memory than is allowed."}
    except RecursionError:
        return {"error": "The document is nested too deeply."}
    except Exception as error:  # noqa: BLE001 - the edge of the process: libraries raise anything for broken files
        return {"error": f"The file can't be read as {kind.upper()}; it may be damaged ({type(error).__name__})."}
    if not pieces:
        return {"error": "The document has no text; scanned pages and pictures are not read."}
    return {"pieces": pieces, "pages": counted.pages}


def _redacted(block: Block) -> Block:
    return replace(block, text=redact(block.text))


class _Counted:
    """Watches over the blocks on their way."""

    def __init__(self, most: int) -> None:
        self.pages: int | None = None
        self._left = self._most = most

    def blocks(self, blocks: Iterator[Block]) -> Iterator[Block]:
        for block in blocks:
            self._left -= len(block.text)
            if self._left < 0:
                raise DocumentError(f"The document has more than {self._most} characters of text.")
            self.pages = block.page or self.pages
            yield block


if __name__ == "__main__":
    main()
