"""Reading documents in processes of their own, so that none can hold up or bring down the service."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from typing import IO, Any, Final

import structlog

from memcubed.documents.model import Document, DocumentType, Piece
from memcubed.errors import DocumentError
from memcubed.language.redaction import redacting
from memcubed.tracing import Attribute, NoTracing, Tracing

_CHILD: Final = "memcubed.documents.child"
_OUT_OF_TIME: Final = frozenset({-signal.SIGXCPU, -signal.SIGKILL})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ParserLimits:
    """More than this of a document is refused. `seconds` hold for the processor and the clock, each.

    `processes` is how many documents one service reads at the same time.
    """

    bytes: int = 100_000_000
    pages: int = 500
    characters: int = 5_000_000
    seconds: int = 300
    memory_bytes: int = 1_000_000_000
    processes: int = 2


class DocumentParser:
    """Turns the bytes of a document into pieces, redacted where the running job's project wants that."""

    def __init__(self, limits: ParserLimits, *, tracing: Tracing | None = None) -> None:
        self._limits = limits
        self._tracing = NoTracing() if tracing is None else tracing
        self._slots = asyncio.Semaphore(limits.processes)

    async def parse(self, content: bytes, kind: DocumentType) -> Document:
        """The document's text in pieces, at least one.

        Raises DocumentError with a reason that a person understands: damaged, protected, no text, over a limit.
        """
        if len(content) > self._limits.bytes:
            raise DocumentError(f"The document has {len(content)} bytes; at most {self._limits.bytes} are read.")
        told: dict[str, Attribute] = {"memcubed.document_type": kind.value, "memcubed.document_bytes": len(content)}
        async with self._slots:
            with self._tracing.span("read document", told):
                answer = await self._read(content, kind)
        if "error" in answer:
            raise DocumentError(str(answer["error"]))
        pieces = tuple(Piece(**{**piece, "heading": tuple(piece["heading"])}) for piece in answer["pieces"])
        return Document(pieces, answer["pages"])

    async def _read(self, content: bytes, kind: DocumentType) -> dict[str, Any]:
        with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as output:
            await asyncio.to_thread(_fill, file, content)
            ended = await self._run(kind, file, output)
            if ended == 0:
                answer: dict[str, Any] = await asyncio.to_thread(_loaded, output)
                return answer
        log.warning("document_not_read", type=kind.value, bytes=len(content), ended=ended)
        if ended in _OUT_OF_TIME:
            raise DocumentError(f"Reading the document takes longer than {self._limits.seconds} seconds.")
        raise DocumentError(f"The file can't be read as {kind.upper()}; it may be damaged, or need too much memory.")

    async def _run(self, kind: DocumentType, file: IO[bytes], output: IO[bytes]) -> int:
        request = {
            "type": kind.value,
            "pages": self._limits.pages,
            "characters": self._limits.characters,
            "seconds": self._limits.seconds,
            "memory_bytes": self._limits.memory_bytes,
            "redact": redacting.get(),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", _CHILD, json.dumps(request)),
            stdin=file,
            stdout=output,
            stderr=asyncio.subprocess.DEVNULL,
            # None of the service's keys: what a document does to the process shall find nothing there.
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await process.wait()
        except TimeoutError:
            return -signal.SIGKILL
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def _fill(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.flush()
    file.seek(0)


def _loaded(file: IO[bytes]) -> Any:  # noqa: ANN401 - JSON
    file.seek(0)
    return json.load(file)
