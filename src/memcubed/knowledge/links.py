"""Links: knowledge bases that other projects may read. Operators make them, by command."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from memcubed.errors import KnowledgeBaseNotFoundError
from memcubed.knowledge.model import KnowledgeBase
from memcubed.knowledge.repository import KnowledgeRepository
from memcubed.knowledge.schemas import read_base_id
from memcubed.projects.model import Project
from memcubed.store.session import Database


@dataclass(frozen=True, slots=True)
class ListedBase:
    """A knowledge base with the names of its project, and of those that it is linked to."""

    id: UUID
    name: str
    owner: str
    linked_to: tuple[str, ...]


class LinkService:
    """Makes and takes back links between the projects of one installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def link(self, owner: Project, base_id: str, reader: Project) -> None:
        """Let another project read a knowledge base, from its next search on. Raises KnowledgeBaseNotFoundError."""
        wanted = read_base_id(base_id)
        async with self._database.transaction(owner.id) as connection:
            if not await KnowledgeRepository(connection, owner.id).list_own([wanted]):
                raise KnowledgeBaseNotFoundError(f"Project {owner.name!r} has no knowledge base {wanted}.")
        if owner.id == reader.id:
            return
        async with self._database.transaction(reader.id) as connection:
            await KnowledgeRepository(connection, reader.id).insert_link(KnowledgeBase(wanted, owner.id))

    async def unlink(self, owner: Project, base_id: str, reader: Project) -> None:
        """Take that back, from the next search on. Raises KnowledgeBaseNotFoundError when there is no such link."""
        base = KnowledgeBase(read_base_id(base_id), owner.id)
        async with self._database.transaction(reader.id) as connection:
            if not await KnowledgeRepository(connection, reader.id).delete_link(base):
                raise KnowledgeBaseNotFoundError(
                    f"Knowledge base {base.id} of project {owner.name!r} is not linked to project {reader.name!r}."
                )

    async def list_bases(self, projects: Sequence[Project]) -> list[ListedBase]:
        """Every knowledge base of these projects, and to which of them it is linked."""
        readers: dict[UUID, list[str]] = {}
        names: list[tuple[Project, UUID, str]] = []
        for project in projects:
            async with self._database.transaction(project.id) as connection:
                repository = KnowledgeRepository(connection, project.id)
                names += [(project, *named) for named in await repository.list_names()]
                for base in await repository.list_linked():
                    readers.setdefault(base.cube.id, []).append(project.name)
        return [
            ListedBase(id_, name, owner.name, tuple(readers.get(KnowledgeBase(id_, owner.id).cube.id, ())))
            for owner, id_, name in names
        ]
