"""Use cases around stored skills."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from memcubed.errors import NotFoundError
from memcubed.memories.model import MemoryKind, MemoryStatus
from memcubed.memories.schemas import SkillValue
from memcubed.memories.service import MemoryService
from memcubed.skills.markdown import to_markdown
from memcubed.store.session import Database

MARKDOWN: Final = "text/markdown; charset=utf-8"
ZIP: Final = "application/zip"


@dataclass(frozen=True, slots=True)
class SkillFile:
    """A skill as a file. `media_type` is Markdown's or zip's."""

    name: str
    media_type: str
    content: bytes


FindUpload = Callable[[UUID, UUID], Awaitable[SkillFile | None]]
"""The uploaded file of a skill that a project may read, by the project's id and the skill's."""


class SkillService:
    """Gives skills back as files: uploaded ones as they were sent, distilled ones as Markdown."""

    def __init__(self, database: Database, memories: MemoryService, find_upload: FindUpload | None = None) -> None:
        self._database = database
        self._memories = memories
        self._find_upload = find_upload

    async def download(self, project_id: UUID, skill_id: str) -> SkillFile:
        """The file of a skill that the project may read. Raises NotFoundError."""
        missing = NotFoundError(f"There is no skill {skill_id[:100]!r}.")
        try:
            id_ = UUID(skill_id)
        except ValueError:
            raise missing from None
        found = None if self._find_upload is None else await self._find_upload(project_id, id_)
        if found is None:
            found = await self._find_distilled(project_id, id_)
        if found is None:
            raise missing
        return found

    async def _find_distilled(self, project_id: UUID, memory_id: UUID) -> SkillFile | None:
        async with self._database.transaction(project_id) as connection:
            found = await self._memories.list_by_id(connection, project_id, [memory_id])
        for memory in found:
            if memory.kind is MemoryKind.SKILL and memory.status is MemoryStatus.ACTIVATED:
                skill = SkillValue.model_validate(memory.details.get("skill"))
                return SkillFile("SKILL.md", MARKDOWN, to_markdown(skill).encode("utf-8", "replace"))
        return None
