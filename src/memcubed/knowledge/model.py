"""What knowledge bases and their files are, inside the service."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO
from uuid import UUID

from memcubed.documents import DocumentType
from memcubed.store.cubes import Cube, knowledge_cube


class FileType(StrEnum):
    """What a file is for."""

    DOCUMENT = "document"
    SKILL = "skill"


class FileStatus(StrEnum):
    """Where a file stands. Once it is completed every part of it can be found."""

    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """A knowledge base as seen from some project, which is its owner or has a link to it."""

    id: UUID
    owner_id: UUID

    @property
    def cube(self) -> Cube:
        """Its memories, which only its owner's transactions see."""
        return knowledge_cube(self.owner_id, self.id)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file about to be added: its content, or the URL to fetch it from, but not both.

    `format` is None for a URL, whose content is not known yet, and for a skill.
    """

    name: str
    type: FileType
    content: BinaryIO | None = None
    size: int | None = None
    format: DocumentType | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file of a knowledge base. `reason` says why it failed, or why it is tried again.

    `size` is in bytes, None until the file was fetched; `pieces` how many memories were made of it, None before.
    """

    id: UUID
    cube_id: UUID
    knowledge_base_id: UUID
    name: str
    type: FileType
    format: DocumentType | None
    url: str | None
    size: int | None
    status: FileStatus
    reason: str | None
    attempts: int
    pieces: int | None
    created_at: datetime
    updated_at: datetime
