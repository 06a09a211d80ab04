"""Knowledge bases, their files and links in the database."""

import asyncio
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, BinaryIO, Final
from uuid import UUID

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.documents import DocumentType
from memcubed.knowledge.model import File, FileStatus, FileType, KnowledgeBase, Upload
from memcubed.store.cubes import Cube
from memcubed.store.tables import cubes, knowledge_bases, knowledge_file_parts, knowledge_files, knowledge_links

PART_BYTES: Final = 1_000_000


class KnowledgeRepository:
    """The knowledge bases of one project, and those linked to it, in the transaction it is given."""

    def __init__(self, connection: AsyncConnection, project_id: UUID) -> None:
        self._connection = connection
        self._project_id = project_id

    async def insert_base(self, base: KnowledgeBase, name: str, description: str) -> None:
        """A new knowledge base, whose cube exists."""
        await self._connection.execute(
            insert(knowledge_bases).values(
                cube_id=base.cube.id, project_id=self._project_id, id=base.id, name=name, description=description
            )
        )

    async def list_own(self, ids: Collection[UUID] | None = None, *, lock: bool = False) -> list[KnowledgeBase]:
        """The project's own among these, or all; with `lock` nobody deletes them before this transaction ends."""
        statement = (
            select(knowledge_bases.c.id)
            .join(cubes, cubes.c.id == knowledge_bases.c.cube_id)
            .where(knowledge_bases.c.project_id == self._project_id, cubes.c.project_id == self._project_id)
        )
        if ids is not None:
            statement = statement.where(
                knowledge_bases.c.cube_id.in_([KnowledgeBase(id_, self._project_id).cube.id for id_ in ids])
            )
        statement = statement.order_by(knowledge_bases.c.cube_id)
        if lock:
            # The cubes, since a deletion begins with them.
            statement = statement.with_for_update(read=True, key_share=True, of=cubes)
        rows = await self._connection.execute(statement)
        return [KnowledgeBase(row.id, self._project_id) for row in rows]

    async def list_linked(self, ids: Collection[UUID] | None = None) -> list[KnowledgeBase]:
        """Those among these, or of all, that other projects let this one read."""
        statement = select(knowledge_links).where(knowledge_links.c.project_id == self._project_id)
        if ids is not None:
            statement = statement.where(knowledge_links.c.knowledge_base_id.in_(list(ids)))
        rows = await self._connection.execute(statement.order_by(knowledge_links.c.cube_id))
        return [KnowledgeBase(row.knowledge_base_id, row.owner_id) for row in rows]

    async def insert_link(self, base: KnowledgeBase) -> None:
        """Let this project read another one's knowledge base; nothing happens when it may already."""
        await self._connection.execute(
            insert(knowledge_links)
            .values(
                cube_id=base.cube.id,
                project_id=self._project_id,
                knowledge_base_id=base.id,
                owner_id=base.owner_id,
            )
            .on_conflict_do_nothing()
        )

    async def delete_link(self, base: KnowledgeBase) -> bool:
        """Take that back; False when it was not so."""
        result = await self._connection.execute(
            delete(knowledge_links)
            .where(knowledge_links.c.project_id == self._project_id, knowledge_links.c.cube_id == base.cube.id)
            .returning(knowledge_links.c.cube_id)
        )
        return result.one_or_none() is not None

    async def list_names(self) -> list[tuple[UUID, str]]:
        """The project's own knowledge bases with their names, the oldest first."""
        rows = await self._connection.execute(
            select(knowledge_bases.c.id, knowledge_bases.c.name)
            .where(knowledge_bases.c.project_id == self._project_id)
            .order_by(knowledge_bases.c.created_at)
        )
        return [(row.id, row.name) for row in rows]

    async def delete_cube(self, cube: Cube) -> bool:
        """Delete a cube with all that is in it; False when there is none."""
        result = await self._connection.execute(
            delete(cubes).where(cubes.c.project_id == self._project_id, cubes.c.id == cube.id).returning(cubes.c.id)
        )
        return result.one_or_none() is not None

    async def lock_cube(self, cube_id: UUID) -> bool:
        """Keep others from deleting a cube before this transaction ends; False when it is gone."""
        found = await self._connection.execute(
            select(cubes.c.id)
            .where(cubes.c.project_id == self._project_id, cubes.c.id == cube_id)
            .with_for_update(read=True, key_share=True)
        )
        return found.one_or_none() is not None

    async def insert_file(self, file_id: UUID, base: KnowledgeBase, upload: Upload, now: datetime) -> None:
        """A new file to be processed, without its content."""
        await self._connection.execute(
            insert(knowledge_files).values(
                cube_id=base.cube.id,
                id=file_id,
                project_id=self._project_id,
                knowledge_base_id=base.id,
                name=upload.name,
                type=upload.type.value,
                format=upload.format,
                url=upload.url,
                size=upload.size,
                status=FileStatus.PROCESSING.value,
                created_at=now,
                updated_at=now,
            )
        )

    async def insert_content(self, cube_id: UUID, file_id: UUID, content: BinaryIO) -> None:
        """Keep what a file holds, read from its beginning."""
        content.seek(0)
        number = 0
        while part := await asyncio.to_thread(content.read, PART_BYTES):
            await self._connection.execute(
                insert(knowledge_file_parts).values(
                    cube_id=cube_id, file_id=file_id, number=number, project_id=self._project_id, content=part
                )
            )
            number += 1

    async def delete_content(self, cube_id: UUID, file_id: UUID) -> None:
        """Forget what a file holds, as before it is stored anew."""
        await self._connection.execute(
            delete(knowledge_file_parts).where(
                knowledge_file_parts.c.project_id == self._project_id,
                knowledge_file_parts.c.cube_id == cube_id,
                knowledge_file_parts.c.file_id == file_id,
            )
        )

    async def read_content(self, cube_id: UUID, file_id: UUID) -> bytes:
        """What a file holds."""
        rows = await self._connection.execute(
            select(knowledge_file_parts.c.content)
            .where(
                knowledge_file_parts.c.project_id == self._project_id,
                knowledge_file_parts.c.cube_id == cube_id,
                knowledge_file_parts.c.file_id == file_id,
            )
            .order_by(knowledge_file_parts.c.number)
        )
        return b"".join(rows.scalars())

    async def has_content(self, cube_id: UUID, file_id: UUID) -> bool:
        """Whether what a file holds is still kept."""
        found = select(knowledge_file_parts.c.number).where(
            knowledge_file_parts.c.project_id == self._project_id,
            knowledge_file_parts.c.cube_id == cube_id,
            knowledge_file_parts.c.file_id == file_id,
        )
        return bool((await self._connection.execute(select(found.exists()))).scalar_one())

    async def find_file(self, cube_id: UUID, file_id: UUID, *, lock: bool = False) -> File | None:
        """A file; with `lock` nobody else changes or deletes it before this transaction ends."""
        statement = select(knowledge_files).where(
            knowledge_files.c.project_id == self._project_id,
            knowledge_files.c.cube_id == cube_id,
            knowledge_files.c.id == file_id,
        )
        if lock:
            statement = statement.with_for_update()
        row = (await self._connection.execute(statement)).one_or_none()
        return None if row is None else _file(row)

    async def list_by_id(self, file_ids: Collection[UUID], *, lock: bool = False) -> list[File]:
        """Those of these files that the project has, in the order in which they were added."""
        statement = select(knowledge_files).where(
            knowledge_files.c.project_id == self._project_id, knowledge_files.c.id.in_(list(file_ids))
        )
        # Locked in one order everywhere, so that two deletions can't wait for each other.
        statement = statement.order_by(knowledge_files.c.position)
        rows = await self._connection.execute(statement.with_for_update() if lock else statement)
        return [_file(row) for row in rows]

    async def list_files(
        self, cube_id: UUID, kind: FileType | None, *, offset: int, limit: int
    ) -> tuple[list[File], int]:
        """Some of a knowledge base's files, the newest first, and how many there are of them."""
        wanted = [knowledge_files.c.project_id == self._project_id, knowledge_files.c.cube_id == cube_id]
        if kind is not None:
            wanted.append(knowledge_files.c.type == kind.value)
        total = await self._connection.execute(select(func.count()).select_from(knowledge_files).where(*wanted))
        rows = await self._connection.execute(
            select(knowledge_files)
            .where(*wanted)
            .order_by(knowledge_files.c.position.desc())
            .offset(offset)
            .limit(limit)
        )
        return [_file(row) for row in rows], int(total.scalar_one())

    async def update_file(self, file: File, now: datetime, **changes: Any) -> None:  # noqa: ANN401 - as the columns are
        """Change some columns of a file."""
        await self._connection.execute(
            update(knowledge_files)
            .where(
                knowledge_files.c.project_id == self._project_id,
                knowledge_files.c.cube_id == file.cube_id,
                knowledge_files.c.id == file.id,
            )
            .values(updated_at=now, **changes)
        )

    async def delete_files(self, files: Iterable[File]) -> None:
        """Delete files with their content."""
        by_cube: dict[UUID, list[UUID]] = {}
        for file in files:
            by_cube.setdefault(file.cube_id, []).append(file.id)
        for cube_id, ids in by_cube.items():
            await self._connection.execute(
                delete(knowledge_files).where(
                    knowledge_files.c.project_id == self._project_id,
                    knowledge_files.c.cube_id == cube_id,
                    knowledge_files.c.id.in_(ids),
                )
            )


def _file(row: Row[Any]) -> File:
    return File(
        id=row.id,
        cube_id=row.cube_id,
        knowledge_base_id=row.knowledge_base_id,
        name=row.name,
        type=FileType(row.type),
        format=None if row.format is None else DocumentType(row.format),
        url=row.url,
        size=row.size,
        status=FileStatus(row.status),
        reason=row.reason,
        attempts=row.attempts,
        pieces=row.pieces,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
