"""Projects and keys in the database."""

from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.projects.keys import NewKey
from memcubed.projects.model import ApiKey, Project, ProjectChange, ProjectRecord
from memcubed.projects.scopes import Scope
from memcubed.store.tables import admin_keys, api_keys, projects

# `last_used_at` is written at most once a minute a key. The request is counted in the same statement; `admitted` is
# false when there was no room for it, and when requests are not limited. Counting changes one row of an unlogged
# table, which is locked until the commit that was sent along: for a fraction of a millisecond, without a wait for the
# disk.
AUTHENTICATE: Final[LiteralString] = """
WITH caller AS MATERIALIZED (
    SELECT p.id, p.name, p.timezone, p.redact, k.scopes
    FROM api_keys k JOIN projects p ON p.id = k.project_id
    WHERE k.key_hash = %(key_hash)s
        AND k.revoked_at IS NULL
        AND (k.expires_at IS NULL OR k.expires_at > now())
), used AS (
    UPDATE api_keys SET last_used_at = now()
    WHERE key_hash = %(key_hash)s AND revoked_at IS NULL
        AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
), taken AS (
    INSERT INTO project_rates AS rate (project_id, requests_full_at)
    SELECT id, now() + %(cost)s::interval FROM caller WHERE %(is_limited)s::boolean
    ON CONFLICT (project_id) DO UPDATE
        SET requests_full_at = GREATEST(rate.requests_full_at, now()) + %(cost)s::interval
        WHERE GREATEST(rate.requests_full_at, now()) + %(cost)s::interval <= now() + %(room)s::interval
    RETURNING requests_full_at
)
SELECT c.id, c.name, c.timezone, c.redact, c.scopes, taken.requests_full_at IS NOT NULL AS admitted,
    EXTRACT(epoch FROM GREATEST(COALESCE(taken.requests_full_at, rate.requests_full_at), now()) - now())::float8
        AS full_in
FROM caller c LEFT JOIN taken ON true LEFT JOIN project_rates rate ON rate.project_id = c.id
"""

AUTHENTICATE_ADMIN: Final[LiteralString] = """
WITH used AS (
    UPDATE admin_keys SET last_used_at = now()
    WHERE key_hash = %(key_hash)s AND revoked_at IS NULL
        AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
)
SELECT id FROM admin_keys
WHERE key_hash = %(key_hash)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""

# A take of more than the bucket ever holds is let through when the bucket is full, and leaves a debt behind.
TAKE_TOKENS: Final[LiteralString] = """
WITH taken AS (
    INSERT INTO project_rates AS rate (project_id, tokens_full_at)
    VALUES (%(project_id)s, now() + %(cost)s::interval)
    ON CONFLICT (project_id) DO UPDATE
        SET tokens_full_at = GREATEST(rate.tokens_full_at, now()) + %(cost)s::interval
        WHERE rate.project_id = %(project_id)s
            AND GREATEST(rate.tokens_full_at, now()) + LEAST(%(cost)s::interval, %(room)s::interval)
                <= now() + %(room)s::interval
    RETURNING tokens_full_at
)
SELECT EXISTS (SELECT FROM taken) AS admitted, (
    SELECT EXTRACT(epoch FROM GREATEST(rate.tokens_full_at, now()) - now())::float8
    FROM project_rates rate WHERE rate.project_id = %(project_id)s
) AS full_in
"""


class ProjectRepository:
    """Works in the transaction it is given."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find_project(self, name: str) -> Project | None:
        """The project of this name."""
        row = (await self._connection.execute(select(projects).where(projects.c.name == name))).one_or_none()
        return None if row is None else _project(row)

    async def find_project_by_id(self, project_id: UUID) -> Project | None:
        """The project of this id."""
        row = (await self._connection.execute(select(projects).where(projects.c.id == project_id))).one_or_none()
        return None if row is None else _project(row)

    async def list_projects(self) -> list[Project]:
        """Every project, oldest first."""
        rows = await self._connection.execute(select(projects).order_by(projects.c.created_at))
        return [_project(row) for row in rows]

    async def ensure_project(self, name: str, timezone: str) -> Project:
        """The project of this name, made with this time zone when it did not exist."""
        statement = insert(projects).values(id=uuid4(), name=name, timezone=timezone)
        await self._connection.execute(statement.on_conflict_do_nothing(index_elements=["name"]))
        return _project((await self._connection.execute(select(projects).where(projects.c.name == name))).one())

    async def store_project(self, project: Project) -> bool:
        """Insert a project that has its id; False when there is another one of its name."""
        statement = insert(projects).values(
            id=project.id, name=project.name, timezone=project.timezone.key, redact=project.redact
        )
        done = await self._connection.execute(
            statement.on_conflict_do_nothing(index_elements=["name"]).returning(projects.c.id)
        )
        return done.one_or_none() is not None

    async def insert_project(self, name: str, timezone: str, *, redact: bool | None) -> ProjectRecord | None:
        """A new project; None when there is one of this name."""
        result = await self._connection.execute(
            insert(projects)
            .values(id=uuid4(), name=name, timezone=timezone, redact=redact)
            .on_conflict_do_nothing(index_elements=["name"])
            .returning(projects)
        )
        row = result.one_or_none()
        return None if row is None else _record(row)

    async def list_records(self) -> list[ProjectRecord]:
        """Every project as the operator sees it, oldest first."""
        rows = await self._connection.execute(select(projects).order_by(projects.c.created_at))
        return [_record(row) for row in rows]

    async def find_record(self, project_id: UUID) -> ProjectRecord | None:
        """A project as the operator sees it."""
        row = (await self._connection.execute(select(projects).where(projects.c.id == project_id))).one_or_none()
        return None if row is None else _record(row)

    async def update_project(self, project_id: UUID, change: ProjectChange) -> None:
        """Change a project. Raises IntegrityError when another one has the name."""
        values: dict[str, object] = {}
        if change.name is not None:
            values["name"] = change.name
        if change.timezone is not None:
            values["timezone"] = change.timezone
        if change.daily_token_budget is not None:
            values["daily_token_budget"] = None if change.daily_token_budget < 0 else change.daily_token_budget
        if change.redact is not None or change.resets_redaction:
            values["redact"] = change.redact
        if values:
            await self._connection.execute(update(projects).where(projects.c.id == project_id).values(**values))

    async def delete_project(self, project_id: UUID) -> bool:
        """Delete a project with everything in it; False when there is none."""
        result = await self._connection.execute(
            delete(projects).where(projects.c.id == project_id).returning(projects.c.id)
        )
        return result.first() is not None

    async def revoke_key_by_id(self, project_id: UUID, key_id: UUID) -> bool:
        """Revoke a key; False when there is no such key that is not revoked already."""
        result = await self._connection.execute(
            update(api_keys)
            .where(api_keys.c.project_id == project_id, api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=func.now())
            .returning(api_keys.c.id)
        )
        return result.first() is not None

    async def add_key(
        self, project_id: UUID, name: str, key: NewKey, expires_at: datetime | None, scopes: frozenset[Scope]
    ) -> ApiKey:
        """Keep a key's hash and prefix."""
        row = await self._connection.execute(
            insert(api_keys)
            .values(
                id=uuid4(),
                project_id=project_id,
                name=name,
                prefix=key.prefix,
                key_hash=key.key_hash,
                expires_at=expires_at,
                scopes=sorted(scopes),
            )
            .returning(api_keys)
        )
        return _key(row.one())

    async def list_keys(self, project_id: UUID) -> list[ApiKey]:
        """The project's keys, oldest first."""
        rows = await self._connection.execute(
            select(api_keys).where(api_keys.c.project_id == project_id).order_by(api_keys.c.created_at)
        )
        return [_key(row) for row in rows]

    async def revoke_key(self, project_id: UUID, prefix: str) -> bool:
        """Revoke the key of this prefix; False when there is no such key that is not revoked already."""
        result = await self._connection.execute(
            update(api_keys)
            .where(api_keys.c.project_id == project_id, api_keys.c.prefix == prefix, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=func.now())
            .returning(api_keys.c.id)
        )
        return result.first() is not None

    async def add_admin_key(self, name: str, key: NewKey, expires_at: datetime | None) -> None:
        """Keep the hash and prefix of a key of the installation."""
        await self._connection.execute(
            insert(admin_keys).values(
                id=uuid4(), name=name, prefix=key.prefix, key_hash=key.key_hash, expires_at=expires_at
            )
        )

    async def list_admin_keys(self) -> list[ApiKey]:
        """The installation's keys, oldest first."""
        rows = await self._connection.execute(select(admin_keys).order_by(admin_keys.c.created_at))
        return [_key(row, frozenset({Scope.ADMIN})) for row in rows]

    async def revoke_admin_key(self, prefix: str) -> bool:
        """Revoke the installation's key of this prefix; False when there is no such key that is not revoked already."""
        result = await self._connection.execute(
            update(admin_keys)
            .where(admin_keys.c.prefix == prefix, admin_keys.c.revoked_at.is_(None))
            .values(revoked_at=func.now())
            .returning(admin_keys.c.id)
        )
        return result.first() is not None


def _key(row: Row[Any], scopes: frozenset[Scope] | None = None) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        scopes=frozenset(map(Scope, row.scopes)) if scopes is None else scopes,
    )


def _record(row: Row[Any]) -> ProjectRecord:
    return ProjectRecord(_project(row), row.created_at, row.daily_token_budget)


def _project(row: Row[Any]) -> Project:
    return Project(id=row.id, name=row.name, timezone=ZoneInfo(row.timezone), redact=row.redact)
