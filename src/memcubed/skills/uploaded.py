"""Skills that are files of knowledge bases."""

from uuid import UUID

from memcubed.errors import NotFoundError
from memcubed.knowledge.model import FileType
from memcubed.knowledge.schemas import ALL_BASES
from memcubed.knowledge.service import KnowledgeService
from memcubed.skills.service import MARKDOWN, ZIP, SkillFile


class UploadedSkills:
    """Gives the files of skills back as they were sent."""

    def __init__(self, knowledge: KnowledgeService) -> None:
        self._knowledge = knowledge

    async def find(self, project_id: UUID, file_id: UUID) -> SkillFile | None:
        """The file of a skill in a knowledge base that the project may read, its own or a linked one."""
        bases = await self._knowledge.readable_bases(project_id, [ALL_BASES])
        for owner_id in dict.fromkeys(base.owner_id for base in bases):
            readable = {base.id for base in bases if base.owner_id == owner_id}
            try:
                file, content = await self._knowledge.read_content(owner_id, file_id)
            except NotFoundError:
                continue
            if file.type is not FileType.SKILL or file.knowledge_base_id not in readable:
                return None
            return SkillFile(file.name, ZIP if content.startswith(b"PK") else MARKDOWN, content)
        return None
