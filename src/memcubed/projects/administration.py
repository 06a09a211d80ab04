"""Projects from outside: what the operator does with them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError

from memcubed.errors import ConflictError, NotFoundError
from memcubed.projects.keys import generate_key
from memcubed.projects.model import ApiKey, ProjectChange, ProjectRecord
from memcubed.projects.repository import ProjectRepository
from memcubed.projects.scopes import Scope
from memcubed.store.queue import drop_jobs, wake_jobs
from memcubed.store.session import Database

log = structlog.get_logger(__name__)


class ProjectAdministration:
    """Makes, changes and deletes projects and their keys. Unknown ids raise NotFoundError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_projects(self) -> Sequence[ProjectRecord]:
        """Every project, oldest first."""
        async with self._database.transaction(None) as connection:
            return await ProjectRepository(connection).list_records()

    async def get(self, project_id: UUID) -> ProjectRecord:
        """One project."""
        async with self._database.transaction(None) as connection:
            return _found(await ProjectRepository(connection).find_record(project_id), project_id)

    async def create(self, name: str, timezone: str, *, redact: bool | None = None) -> ProjectRecord:
        """A new project. Raises ConflictError when there is one of this name."""
        async with self._database.transaction(None) as connection:
            made = await ProjectRepository(connection).insert_project(name, timezone, redact=redact)
        if made is None:
            raise _name_taken(name)
        log.info("project_created", project_id=str(made.project.id))
        return made

    async def change(self, project_id: UUID, change: ProjectChange) -> ProjectRecord:
        """The project as it is then. Jobs that waited for a larger budget look again at once."""
        try:
            async with self._database.transaction(None) as connection:
                repository = ProjectRepository(connection)
                await repository.update_project(project_id, change)
                changed = _found(await repository.find_record(project_id), project_id)
                if change.daily_token_budget is not None:
                    await wake_jobs(connection, project_id)
        except IntegrityError as error:
            raise _name_taken(change.name or "") from error
        return changed

    async def delete(self, project_id: UUID) -> None:
        """Delete a project with its keys, messages, memories, tasks and usage, in one transaction."""
        async with self._database.transaction(None) as connection:
            if not await ProjectRepository(connection).delete_project(project_id):
                raise _unknown(project_id)
            await drop_jobs(connection, project_id)
        log.info("project_deleted", project_id=str(project_id))

    async def list_keys(self, project_id: UUID) -> Sequence[ApiKey]:
        """The project's keys, revoked ones included."""
        await self.get(project_id)
        async with self._database.transaction(project_id) as connection:
            return await ProjectRepository(connection).list_keys(project_id)

    async def create_key(
        self, project_id: UUID, *, name: str, expires_at: datetime | None, scopes: frozenset[Scope]
    ) -> tuple[str, ApiKey]:
        """A new key, which is never shown again, and what of it may be shown."""
        await self.get(project_id)
        key = generate_key()
        async with self._database.transaction(project_id) as connection:
            made = await ProjectRepository(connection).add_key(project_id, name, key, expires_at, scopes)
        return key.secret, made

    async def revoke_key(self, project_id: UUID, key_id: UUID) -> None:
        """Revoke a key at once."""
        async with self._database.transaction(project_id) as connection:
            if not await ProjectRepository(connection).revoke_key_by_id(project_id, key_id):
                raise NotFoundError(f"The project has no active key with the id {key_id}.")


def _found(record: ProjectRecord | None, project_id: UUID) -> ProjectRecord:
    if record is None:
        raise _unknown(project_id)
    return record


def _unknown(project_id: UUID) -> NotFoundError:
    return NotFoundError(f"There is no project with the id {project_id}.")


def _name_taken(name: str) -> ConflictError:
    return ConflictError(f"name: there is a project named {name!r} already.")
