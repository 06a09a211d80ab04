"""Use cases around knowledge bases and their files."""

import asyncio
import io
from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.clock import Clock
from memcubed.errors import (
    KnowledgeBaseNotFoundError,
    KnowledgeBaseNotLinkedError,
    NotFoundError,
    UnsupportedTypeError,
)
from memcubed.knowledge.jobs import KnowledgeQueue
from memcubed.knowledge.model import File, FileStatus, FileType, KnowledgeBase, Upload
from memcubed.knowledge.processing import DOCUMENT_EXTRACTOR, ReadsSkills
from memcubed.knowledge.repository import KnowledgeRepository
from memcubed.knowledge.schemas import ALL_BASES, find_uuid, read_base_id
from memcubed.memories.service import MemoryService
from memcubed.store.cubes import Cube, ensure_cubes
from memcubed.store.session import Database


class KnowledgeService:
    """Makes and deletes knowledge bases, accepts their files, and tells who may read and write which of them."""

    def __init__(
        self,
        database: Database,
        memories: MemoryService,
        queue: KnowledgeQueue,
        clock: Clock,
        *,
        skills: ReadsSkills | None = None,
    ) -> None:
        self._database = database
        self._memories = memories
        self._queue = queue
        self._clock = clock
        self._skills = skills

    async def create(self, project_id: UUID, name: str, description: str) -> KnowledgeBase:
        """A new, empty knowledge base of the project."""
        base = KnowledgeBase(uuid4(), project_id)
        async with self._database.transaction(project_id) as connection:
            await ensure_cubes(connection, [base.cube])
            await KnowledgeRepository(connection, project_id).insert_base(base, name, description)
        return base

    async def delete(self, project_id: UUID, base_id: UUID) -> None:
        """Delete a knowledge base with its files and memories, for good; what is being read now can't bring it back.

        Raises KnowledgeBaseNotFoundError, and KnowledgeBaseNotLinkedError for another project's.
        """
        async with self._database.transaction(project_id) as connection:
            base = await self._own(connection, project_id, base_id)
            await KnowledgeRepository(connection, project_id).delete_cube(base.cube)

    async def add_files(self, project_id: UUID, base_id: UUID, uploads: Sequence[Upload]) -> list[File]:
        """Keep files, and promise that they are read, in one transaction: all of them or none.

        Raises KnowledgeBaseNotFoundError, KnowledgeBaseNotLinkedError, and for skills what they raise.
        """
        now = self._clock()
        uploads = await asyncio.to_thread(lambda: [self._checked(upload) for upload in uploads])
        async with self._database.transaction(project_id) as connection:
            # Locks the cube as well, so that a base can't be deleted between the check and the files.
            (cube,) = await self.writable_cubes(connection, project_id, [str(base_id)])
            base = KnowledgeBase(base_id, project_id)
            repository = KnowledgeRepository(connection, project_id)
            ids: list[UUID] = []
            for upload in uploads:
                file_id = uuid4()
                ids.append(file_id)
                await repository.insert_file(file_id, base, upload, now)
                if upload.content is not None:
                    await repository.insert_content(cube.id, file_id, upload.content)
                await self._queue.enqueue_file(connection, cube, file_id)
            return await repository.list_by_id(ids)

    async def read_again(self, project_id: UUID, file_id: UUID) -> bool:
        """Put a file back on the queue that no job reads, or of which memories are missing.

        False when it is gone, or its content is, as where texts are redacted: then what is left of it is kept.
        """
        async with self._database.transaction(project_id) as connection:
            repository = KnowledgeRepository(connection, project_id)
            for file in await repository.list_by_id([file_id], lock=True):
                if file.status is not FileStatus.PROCESSING:
                    if not await repository.has_content(file.cube_id, file.id):
                        return False
                    await self._memories.delete_made_from(
                        connection, project_id, file.cube_id, str(file.id), extractor=DOCUMENT_EXTRACTOR
                    )
                    await repository.update_file(
                        file, self._clock(), status=FileStatus.PROCESSING.value, pieces=None, attempts=0, reason=None
                    )
                cube = KnowledgeBase(file.knowledge_base_id, project_id).cube
                await self._queue.enqueue_file(connection, cube, file.id)
                return True
        return False

    async def list_files(
        self, project_id: UUID, base_id: str, kind: FileType | None, *, page: int, page_size: int
    ) -> tuple[list[File], int]:
        """A page of the files of a knowledge base that the project may read, newest first, and how many there are."""
        base = await self._readable(project_id, base_id)
        async with self._database.transaction(base.owner_id) as connection:
            return await KnowledgeRepository(connection, base.owner_id).list_files(
                base.cube.id, kind, offset=(page - 1) * page_size, limit=page_size
            )

    async def list_files_by_id(self, project_id: UUID, file_ids: Sequence[str]) -> list[File]:
        """Those of these files that the project has; others are left out."""
        async with self._database.transaction(project_id) as connection:
            return await KnowledgeRepository(connection, project_id).list_by_id(_uuids(file_ids))

    async def read_content(self, project_id: UUID, file_id: UUID) -> tuple[File, bytes]:
        """A file of the project's own and what it holds. Raises NotFoundError."""
        async with self._database.transaction(project_id) as connection:
            repository = KnowledgeRepository(connection, project_id)
            for file in await repository.list_by_id([file_id]):
                return file, await repository.read_content(file.cube_id, file.id)
        raise NotFoundError(f"There is no file {file_id}.")

    async def delete_files(self, project_id: UUID, file_ids: Sequence[str]) -> None:
        """Delete files with the memories made of them: all, or none when one does not exist (NotFoundError)."""
        async with self._database.transaction(project_id) as connection:
            repository = KnowledgeRepository(connection, project_id)
            files = await repository.list_by_id(_uuids(file_ids), lock=True)
            known = {file.id for file in files}
            for text in file_ids:
                if find_uuid(text) not in known:
                    raise NotFoundError(f"There is no file {text[:100]!r}.")
            for file in files:
                await self._memories.delete_made_from(
                    connection, project_id, file.cube_id, str(file.id), extractor=DOCUMENT_EXTRACTOR
                )
            await repository.delete_files(files)

    async def readable_bases(self, project_id: UUID, ids: Collection[str]) -> list[KnowledgeBase]:
        """The knowledge bases with these ids, or with `all` every one, that are the project's own or linked to it.

        What another project owns is read in transactions of its owner, and of nothing but the base's cube. Raises
        KnowledgeBaseNotFoundError for every other id.
        """
        if not ids:
            return []
        named = {read_base_id(text) for text in ids if text != ALL_BASES}
        wanted = None if ALL_BASES in ids else named
        async with self._database.transaction(project_id) as connection:
            repository = KnowledgeRepository(connection, project_id)
            bases = [*await repository.list_own(wanted), *await repository.list_linked(wanted)]
        _check_known(named, bases)
        return bases

    async def writable_cubes(self, connection: AsyncConnection, project_id: UUID, ids: Collection[str]) -> list[Cube]:
        """The cubes of knowledge bases of the project's own, which nobody deletes before this transaction ends.

        Raises KnowledgeBaseNotFoundError, and KnowledgeBaseNotLinkedError for one that is linked, and so only read.
        """
        if not ids:
            return []
        repository = KnowledgeRepository(connection, project_id)
        if ALL_BASES in ids:
            named = {read_base_id(text) for text in ids if text != ALL_BASES}
            own = await repository.list_own(None, lock=True)
        else:
            named = {read_base_id(text) for text in ids}
            own = await repository.list_own(named, lock=True)
        missing = named - {base.id for base in own}
        linked = await repository.list_linked(missing) if missing else []
        _check_known(named, [*own, *linked])
        if linked:
            raise KnowledgeBaseNotLinkedError(
                f"Knowledge base {linked[0].id} belongs to another project; it is linked to this one for reading only."
            )
        return [base.cube for base in own]

    async def _readable(self, project_id: UUID, base_id: str) -> KnowledgeBase:
        return (await self.readable_bases(project_id, [str(read_base_id(base_id))]))[0]

    async def _own(self, connection: AsyncConnection, project_id: UUID, base_id: UUID) -> KnowledgeBase:
        repository = KnowledgeRepository(connection, project_id)
        own = await repository.list_own([base_id])
        if own:
            return own[0]
        if await repository.list_linked([base_id]):
            raise KnowledgeBaseNotLinkedError(
                f"Knowledge base {base_id} belongs to another project; it is linked to this one for reading only."
            )
        raise KnowledgeBaseNotFoundError(f"There is no knowledge base {base_id}.")

    def _checked(self, upload: Upload) -> Upload:
        """The file as it is kept, which for a skill may be redacted."""
        if upload.type is not FileType.SKILL:
            return upload
        if self._skills is None:
            raise UnsupportedTypeError("type skill is not supported by this service; send documents.")
        if upload.content is None:
            return upload
        content = upload.content.read()
        self._skills.read(uuid4(), upload.name, content)
        kept = self._skills.kept(content)
        upload.content.seek(0)
        return upload if kept == content else replace(upload, content=io.BytesIO(kept), size=len(kept))


def _check_known(named: set[UUID], bases: Sequence[KnowledgeBase]) -> None:
    for missing in named - {base.id for base in bases}:
        raise KnowledgeBaseNotFoundError(f"There is no knowledge base {missing}.")


def _uuids(ids: Sequence[str]) -> set[UUID]:
    return {found for text in ids if (found := find_uuid(text)) is not None}
