"""Use cases around projects and their keys."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from memcubed.errors import InvalidKeyError, MissingFieldError, MissingKeyError, NotFoundError
from memcubed.projects.keys import generate_key, hash_key
from memcubed.projects.model import ApiKey, Project
from memcubed.projects.repository import AUTHENTICATE, ProjectRepository
from memcubed.store.session import Database

_SCHEMES = frozenset({"token", "bearer"})


class ProjectService:
    """Authenticates requests, and keeps projects and keys for the operator."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def authenticate(self, authorization: str | None) -> Project:
        """The project of an `Authorization: Token <key>` (or Bearer) header, in one round trip."""
        scheme, _, key = (authorization or "").strip().partition(" ")
        if not scheme:
            raise MissingKeyError("No API key: send the header `Authorization: Token <your API key>`.")
        key = key.strip()
        if scheme.lower() not in _SCHEMES or not key:
            raise MissingKeyError("The Authorization header must read `Token <your API key>`.")
        key_hash = hash_key(key)
        rows = await self._database.read(AUTHENTICATE, {"key_hash": key_hash}, presented_key=key_hash)
        if not rows:
            raise InvalidKeyError("The API key is invalid, expired or revoked.")
        row = rows[0]
        return Project(id=row["id"], name=row["name"], timezone=ZoneInfo(row["timezone"]))

    async def get_timezone(self, project_id: UUID) -> ZoneInfo:
        """The zone in which a project's times are read; UTC when the project is gone."""
        async with self._database.transaction(None) as connection:
            project = await ProjectRepository(connection).find_project_by_id(project_id)
        return ZoneInfo("UTC") if project is None else project.timezone

    async def list_projects(self) -> list[Project]:
        """Every project of the installation."""
        async with self._database.transaction(None) as connection:
            return await ProjectRepository(connection).list_projects()

    async def create_key(
        self, project_name: str, *, timezone: str, name: str = "", expires_at: datetime | None = None
    ) -> str:
        """A new key of a project, which is made when it does not exist. The key is never shown again."""
        if not project_name.strip():
            raise MissingFieldError("A project needs a name.")
        key = generate_key()
        async with self._database.transaction(None) as connection:
            project = await ProjectRepository(connection).ensure_project(project_name, timezone)
        async with self._database.transaction(project.id) as connection:
            await ProjectRepository(connection).add_key(project.id, name, key, expires_at)
        return key.secret

    async def list_keys(self, project_name: str) -> list[ApiKey]:
        """The keys of a project, revoked ones included."""
        project_id = await self._project_id(project_name)
        async with self._database.transaction(project_id) as connection:
            return await ProjectRepository(connection).list_keys(project_id)

    async def revoke_key(self, project_name: str, prefix: str) -> None:
        """Revoke a key at once, by its visible prefix."""
        project_id = await self._project_id(project_name)
        async with self._database.transaction(project_id) as connection:
            if not await ProjectRepository(connection).revoke_key(project_id, prefix):
                raise NotFoundError(f"Project {project_name!r} has no active key with the prefix {prefix!r}.")

    async def _project_id(self, name: str) -> UUID:
        async with self._database.transaction(None) as connection:
            project = await ProjectRepository(connection).find_project(name)
        if project is None:
            raise NotFoundError(f"There is no project named {name!r}.")
        return project.id
