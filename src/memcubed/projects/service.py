"""Use cases around projects and their keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.errors import ConflictError, InvalidKeyError, MissingKeyError, NotFoundError
from memcubed.language.redaction import redaction
from memcubed.projects.keys import generate_key
from memcubed.projects.limits import Allowance, Bucket
from memcubed.projects.model import ApiKey, Project
from memcubed.projects.names import check_key_name, check_name, check_timezone
from memcubed.projects.repository import AUTHENTICATE, ProjectRepository
from memcubed.projects.scopes import PROJECT_SCOPES, Scope
from memcubed.store.session import Database

_SCHEMES = frozenset({"token", "bearer"})

UNLIMITED: Final = Bucket(capacity=1, per_second=0)

# Of the running asyncio task: a job reads its project once, whatever it wants to know of it.
_worked_for: ContextVar[Project | None] = ContextVar("worked_for", default=None)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is. `allowance` is None where requests are not limited.

    `retry_after` is None when the request is let through, else how many seconds its project has to wait.
    """

    project: Project
    scopes: frozenset[Scope]
    allowance: Allowance | None = None
    retry_after: int | None = None


def read_key(authorization: str | None) -> str:
    """The key in an `Authorization: Token <key>` (or Bearer) header. Raises MissingKeyError."""
    scheme, _, key = (authorization or "").strip().partition(" ")
    if not scheme:
        raise MissingKeyError("No API key: send the header `Authorization: Token <your API key>`.")
    key = key.strip()
    if scheme.lower() not in _SCHEMES or not key:
        raise MissingKeyError("The Authorization header must read `Token <your API key>`.")
    return key


async def store_planned(connection: AsyncConnection, project: Project) -> None:
    """Store a project together with what else is in the transaction. Raises ConflictError when the name is taken."""
    if not await ProjectRepository(connection).store_project(project):
        raise ConflictError(f"A project named {project.name!r} was made meanwhile; try again.")


class ProjectService:
    """Authenticates requests, and keeps projects and keys for the operator.

    `redact` is the installation's choice, which holds where a project has none.
    """

    def __init__(self, database: Database, requests: Bucket = UNLIMITED, *, redact: bool = False) -> None:
        self._database = database
        self._redact = redact
        self._requests = requests

    async def authenticate(self, key_hash: str) -> Caller:
        """The project of a key, by its hash, and whether the request is let through: all in one round trip.

        Raises InvalidKeyError when the key is unknown, expired or revoked.
        """
        requests = self._requests
        parameters = {
            "key_hash": key_hash,
            "is_limited": not requests.is_off,
            "cost": requests.time_of(1),
            "room": requests.room,
        }
        rows = await self._database.read(AUTHENTICATE, parameters, presented_key=key_hash)
        if not rows:
            raise InvalidKeyError("The API key is invalid, expired or revoked.")
        row = rows[0]
        project = Project(id=row["id"], name=row["name"], timezone=ZoneInfo(row["timezone"]), redact=row["redact"])
        scopes = frozenset(map(Scope, row["scopes"]))
        if requests.is_off:
            return Caller(project, scopes)
        full_in = row["full_in"]
        retry_after = None if row["admitted"] else requests.wait_seconds(full_in)
        return Caller(project, scopes, requests.read(full_in), retry_after)

    async def get_timezone(self, project_id: UUID) -> ZoneInfo:
        """The zone in which a project's times are read; UTC when the project is gone."""
        project = _worked_for.get()
        if project is None or project.id != project_id:
            project = await self._find_by_id(project_id)
        return ZoneInfo("UTC") if project is None else project.timezone

    @asynccontextmanager
    async def working_for(self, project_id: UUID) -> AsyncIterator[None]:
        """Do what the block does for a project as it is at its beginning: redacted, if the project wants that."""
        project = await self._find_by_id(project_id)
        token = _worked_for.set(project)
        try:
            with redaction(is_on=project is not None and project.redacts(default=self._redact)):
                yield
        finally:
            _worked_for.reset(token)

    async def _find_by_id(self, project_id: UUID) -> Project | None:
        async with self._database.look_up(None) as connection:
            return await ProjectRepository(connection).find_project_by_id(project_id)

    async def list_projects(self) -> list[Project]:
        """Every project of the installation."""
        async with self._database.transaction(None) as connection:
            return await ProjectRepository(connection).list_projects()

    async def create_key(
        self,
        project_name: str,
        *,
        timezone: str,
        name: str = "",
        expires_at: datetime | None = None,
        scopes: frozenset[Scope] = PROJECT_SCOPES,
    ) -> str:
        """A new key of a project, which is made when it does not exist. The key is never shown again.

        Raises MissingFieldError or InvalidRequestError for what can be no project's or key's name.
        """
        key = generate_key()
        check_key_name(name)
        project = await self.ensure_project(project_name, timezone=timezone)
        async with self._database.transaction(project.id) as connection:
            await ProjectRepository(connection).add_key(project.id, name, key, expires_at, scopes)
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

    async def get_project(self, name: str) -> Project:
        """The project of this name. Raises NotFoundError."""
        async with self._database.transaction(None) as connection:
            project = await ProjectRepository(connection).find_project(name)
        if project is None:
            raise NotFoundError(f"There is no project named {name!r}.")
        return project

    async def ensure_project(self, name: str, *, timezone: str) -> Project:
        """The project of this name, made with this time zone when there is none.

        Raises MissingFieldError or InvalidRequestError for what can be no project's name.
        """
        async with self._database.transaction(None) as connection:
            repository = ProjectRepository(connection)
            known = await repository.find_project(name)
            return known or await repository.ensure_project(check_name(name), timezone)

    async def plan_project(self, name: str, *, timezone: str) -> tuple[Project, bool]:
        """The project of this name, and whether it is a new one, which `store_planned` has still to store.

        Raises MissingFieldError or InvalidRequestError for what can be no project's name or time zone.
        """
        async with self._database.transaction(None) as connection:
            known = await ProjectRepository(connection).find_project(name.strip())
        if known is not None:
            return known, False
        return Project(uuid4(), check_name(name), check_timezone(timezone)), True

    async def _project_id(self, name: str) -> UUID:
        return (await self.get_project(name)).id
