"""A file becomes memories: fetched, read in a process of its own, stored in one transaction, embedded."""

import asyncio
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import PurePath
from typing import Final, Protocol
from uuid import UUID

import structlog

from memcubed.clock import Clock
from memcubed.documents import Document, DocumentParser, DocumentType, Piece
from memcubed.documents.fetch import Fetcher
from memcubed.errors import ProviderError, UnsupportedTypeError
from memcubed.knowledge.model import File, FileStatus, FileType
from memcubed.knowledge.repository import KnowledgeRepository
from memcubed.knowledge.uploads import require_format
from memcubed.language.redaction import file_name_if_asked, redact_if_asked, redacting
from memcubed.memories.model import MemoryKind, MemoryLayer, NewMemory, Provenance, SourceRole
from memcubed.memories.service import MemoryService
from memcubed.production.embedding import EmbeddingService
from memcubed.store.session import Database

DOCUMENT_EXTRACTOR: Final = "document"
"""What the memories that were made of files are marked with; their `conversation_id` is the file's id."""

_KEY_CHARACTERS: Final = 120
_KEY_GLUE: Final = " › "


class ReadsSkills(Protocol):
    """Reads uploaded skills, without waiting for anything."""

    def read(self, file_id: UUID, name: str, content: bytes) -> NewMemory:
        """The memory of a skill from its file's id, its name and its content.

        Called when the file is sent, so that the sender is told at once what is wrong with it, and again when its
        memory is stored. For what is no skill it raises the contract's errors, such as FileFormatError or
        FileTooLargeError.
        """
        ...

    def kept(self, content: bytes) -> bytes:
        """What is stored of a file that was read: redacted where the running work redacts what it brings."""
        ...


log = structlog.get_logger(__name__)


class FileProcessor:
    """Runs in the worker, for one file at a time; every step is safe to take again."""

    def __init__(
        self,
        database: Database,
        memories: MemoryService,
        embedding: EmbeddingService,
        parser: DocumentParser,
        fetcher: Fetcher,
        clock: Clock,
        *,
        skills: ReadsSkills | None = None,
    ) -> None:
        self._database = database
        self._memories = memories
        self._embedding = embedding
        self._parser = parser
        self._fetcher = fetcher
        self._clock = clock
        self._skills = skills

    async def process(self, project_id: UUID, cube_id: UUID, file_id: UUID) -> bool:
        """Make a file's memories; False when some of them have no vectors yet.

        Raises FetchError and DocumentError, and whatever else the contract has for a file that can't be read. No
        database session is held while it is fetched, read or embedded. A file that was deleted stays so.
        """
        file = await self._find(project_id, cube_id, file_id)
        if file is None or file.status is not FileStatus.PROCESSING:
            return True
        if file.pieces is None:
            if file.url is not None and file.size is None:
                file = await self._fetch(project_id, file)
            if file is None:
                return True
            await self._store(project_id, file, await self._read(project_id, file))
        are_embedded = await self._embed(project_id, cube_id)
        await self._complete(project_id, cube_id, file_id)
        log.info("file_completed", project_id=str(project_id), file_id=str(file_id))
        return are_embedded

    async def count_failures(self, project_id: UUID, cube_id: UUID, file_id: UUID) -> int:
        """How many tries of a file have failed so far."""
        file = await self._find(project_id, cube_id, file_id)
        return 0 if file is None else file.attempts

    async def record_failure(
        self, project_id: UUID, cube_id: UUID, file_id: UUID, reason: str, *, is_final: bool
    ) -> None:
        """Note a try that failed; the last one ends the file as failed."""
        async with self._database.transaction(project_id) as connection:
            repository = KnowledgeRepository(connection, project_id)
            file = await repository.find_file(cube_id, file_id, lock=True)
            if file is None or file.status is not FileStatus.PROCESSING:
                return
            status = FileStatus.FAILED if is_final else FileStatus.PROCESSING
            await repository.update_file(
                file, self._clock(), attempts=file.attempts + 1, reason=redact_if_asked(reason), status=status.value
            )
            if is_final and redacting.get():
                await self._let_go(repository, file, of_content=True)

    async def _find(self, project_id: UUID, cube_id: UUID, file_id: UUID) -> File | None:
        async with self._database.transaction(project_id) as connection:
            return await KnowledgeRepository(connection, project_id).find_file(cube_id, file_id)

    async def _fetch(self, project_id: UUID, file: File) -> File | None:
        """The file with its content stored; None when it was deleted meanwhile."""
        fetched = await self._fetcher.fetch(file.url or "")
        kept = fetched.content
        if file.type is FileType.SKILL and self._skills is not None:
            kept = await asyncio.to_thread(self._skills.kept, kept)
        content = io.BytesIO(kept)
        found: DocumentType | None = None
        if file.type is FileType.DOCUMENT:
            named = file.name if PurePath(file.name).suffix else fetched.name
            found = require_format(content, name=named, media_type=fetched.media_type, path="The file at the URL")
        async with self._database.transaction(project_id) as connection:
            repository = KnowledgeRepository(connection, project_id)
            if await repository.find_file(file.cube_id, file.id, lock=True) is None:
                return None
            await repository.delete_content(file.cube_id, file.id)
            await repository.insert_content(file.cube_id, file.id, content)
            await repository.update_file(file, self._clock(), format=found, size=len(kept))
            return await repository.find_file(file.cube_id, file.id)

    async def _read(self, project_id: UUID, file: File) -> Sequence[NewMemory]:
        async with self._database.transaction(project_id) as connection:
            content = await KnowledgeRepository(connection, project_id).read_content(file.cube_id, file.id)
        if file.type is FileType.SKILL:
            if self._skills is None:
                raise UnsupportedTypeError("Skills are not supported by this service.")
            return [await asyncio.to_thread(self._skills.read, file.id, file.name, content)]
        document = await self._parser.parse(content, file.format or DocumentType.TXT)
        return memories_of(file, document, self._clock())

    async def _store(self, project_id: UUID, file: File, new: Sequence[NewMemory]) -> None:
        provenance = Provenance(task_id=None, conversation_id=str(file.id))
        async with self._database.transaction(project_id) as connection:
            repository = KnowledgeRepository(connection, project_id)
            # In the order in which a deletion of the base takes them.
            if not await repository.lock_cube(file.cube_id):
                return
            current = await repository.find_file(file.cube_id, file.id, lock=True)
            if current is None or current.status is not FileStatus.PROCESSING or current.pieces is not None:
                return  # deleted, or another run of this job was faster
            await self._memories.add(
                connection, project_id, file.cube_id, new, provenance, extractor=DOCUMENT_EXTRACTOR
            )
            await repository.update_file(file, self._clock(), pieces=len(new))

    async def _embed(self, project_id: UUID, cube_id: UUID) -> bool:
        try:
            await self._embedding.embed_cube(project_id, cube_id)
        except ProviderError as error:
            log.warning("file_found_by_words_only", cube_id=str(cube_id), reason=error.message)
            return False
        return True

    async def _complete(self, project_id: UUID, cube_id: UUID, file_id: UUID) -> None:
        async with self._database.transaction(project_id) as connection:
            repository = KnowledgeRepository(connection, project_id)
            file = await repository.find_file(cube_id, file_id, lock=True)
            if file is None:
                return
            await repository.update_file(file, self._clock(), status=FileStatus.COMPLETED.value, reason=None)
            if redacting.get():
                # Skills are given back as files, and are redacted before they are stored.
                await self._let_go(repository, file, of_content=file.type is FileType.DOCUMENT)

    async def _let_go(self, repository: KnowledgeRepository, file: File, *, of_content: bool) -> None:
        """Keep of a file what was redacted alone: nothing reads it again."""
        await repository.update_file(file, self._clock(), url=None)
        if of_content:
            await repository.delete_content(file.cube_id, file.id)


def memories_of(file: File, document: Document, now: datetime) -> list[NewMemory]:
    """A fact for each piece of a document, which knows where it stands there."""
    file = replace(file, name=file_name_if_asked(file.name))
    return [_fact(file, piece, now) for piece in document.pieces]


def _fact(file: File, piece: Piece, now: datetime) -> NewMemory:
    title = _KEY_GLUE.join((PurePath(file.name).stem, *piece.heading))
    return NewMemory(
        kind=MemoryKind.FACT,
        layer=MemoryLayer.LONG_TERM,
        key=title if len(title) <= _KEY_CHARACTERS else f"{title[: _KEY_CHARACTERS - 1]}…",
        value=piece.text,
        index_text=f"{title}\n{piece.text}",
        source_ids=(),
        source_role=SourceRole.DOCUMENT,
        told_at=now,
        details={
            "document": {
                "file_id": str(file.id),
                "file_name": file.name,
                "knowledgebase_id": str(file.knowledge_base_id),
                "page": piece.page,
                "heading": list(piece.heading),
                "piece": piece.number,
            }
        },
    )
