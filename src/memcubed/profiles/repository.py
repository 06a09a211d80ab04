"""Templates and profiles in the database."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.profiles.model import Fields, Profile, Template, read_fields, to_metadata
from memcubed.store.tables import profile_templates, profiles


class ProfileRepository:
    """The templates and profiles of one project, in the transaction it is given."""

    def __init__(self, connection: AsyncConnection, project_id: UUID) -> None:
        self._connection = connection
        self._project_id = project_id

    async def add_template(self, template: Template) -> None:
        """Keep a new template."""
        await self._connection.execute(
            insert(profile_templates).values(
                id=template.id,
                project_id=self._project_id,
                name=template.name,
                description=template.description,
                metadata=to_metadata(template.fields),
                created_at=template.created_at,
                updated_at=template.updated_at,
            )
        )

    async def find_template(self, template_id: UUID, *, lock: bool = False) -> Template | None:
        """A template; with `lock`, nobody else can change or bind it before this transaction ends."""
        statement = select(profile_templates).where(
            profile_templates.c.project_id == self._project_id, profile_templates.c.id == template_id
        )
        if lock:
            statement = statement.with_for_update()
        row = (await self._connection.execute(statement)).one_or_none()
        return None if row is None else _template(row)

    async def list_templates(self, *, limit: int, offset: int) -> tuple[list[Template], int]:
        """A page of templates, newest first, and how many there are."""
        mine = profile_templates.c.project_id == self._project_id
        total: int = (
            await self._connection.execute(select(func.count()).select_from(profile_templates).where(mine))
        ).scalar_one()
        rows = await self._connection.execute(
            select(profile_templates)
            .where(mine)
            .order_by(profile_templates.c.created_at.desc(), profile_templates.c.id)
            .limit(limit)
            .offset(offset)
        )
        return [_template(row) for row in rows], total

    async def update_template(self, template: Template) -> None:
        """Keep a template's new state."""
        await self._connection.execute(
            update(profile_templates)
            .where(profile_templates.c.project_id == self._project_id, profile_templates.c.id == template.id)
            .values(
                name=template.name,
                description=template.description,
                metadata=to_metadata(template.fields),
                updated_at=template.updated_at,
            )
        )

    async def delete_template(self, template_id: UUID) -> None:
        """Remove a template; its profiles go with it."""
        await self._connection.execute(
            delete(profile_templates).where(
                profile_templates.c.project_id == self._project_id, profile_templates.c.id == template_id
            )
        )

    async def list_bound_cubes(self, template_id: UUID) -> list[UUID]:
        """The cubes that have a profile of this template."""
        rows = await self._connection.execute(
            select(profiles.c.cube_id)
            .where(profiles.c.project_id == self._project_id, profiles.c.template_id == template_id)
            .order_by(profiles.c.cube_id)
        )
        return list(rows.scalars())

    async def add_profile(self, cube_id: UUID, template_id: UUID, fields: Fields, now: datetime) -> bool:
        """Give a cube a profile; False when it has one of this template already."""
        result = await self._connection.execute(
            insert(profiles)
            .values(
                cube_id=cube_id,
                template_id=template_id,
                project_id=self._project_id,
                metadata=to_metadata(fields),
                updated_at=now,
            )
            .on_conflict_do_nothing()
            .returning(profiles.c.cube_id)
        )
        return result.one_or_none() is not None

    async def list_profiles(self, cube_id: UUID) -> list[Profile]:
        """The profiles of a cube."""
        rows = await self._connection.execute(
            select(profiles)
            .where(profiles.c.project_id == self._project_id, profiles.c.cube_id == cube_id)
            .order_by(profiles.c.template_id)
        )
        return [_profile(row) for row in rows]

    async def find_profile(self, cube_id: UUID, template_id: UUID) -> Profile | None:
        """A cube's profile of a template, locked until this transaction ends."""
        row = (
            await self._connection.execute(
                select(profiles)
                .where(
                    profiles.c.project_id == self._project_id,
                    profiles.c.cube_id == cube_id,
                    profiles.c.template_id == template_id,
                )
                .with_for_update()
            )
        ).one_or_none()
        return None if row is None else _profile(row)

    async def update_profile(self, cube_id: UUID, profile: Profile, now: datetime) -> None:
        """Keep a profile's new state."""
        await self._connection.execute(
            update(profiles)
            .where(
                profiles.c.project_id == self._project_id,
                profiles.c.cube_id == cube_id,
                profiles.c.template_id == profile.template_id,
            )
            .values(metadata=to_metadata(profile.fields), updated_at=now)
        )

    async def delete_profile(self, cube_id: UUID, template_id: UUID) -> bool:
        """Remove a profile; False when there is none."""
        result = await self._connection.execute(
            delete(profiles)
            .where(
                profiles.c.project_id == self._project_id,
                profiles.c.cube_id == cube_id,
                profiles.c.template_id == template_id,
            )
            .returning(profiles.c.cube_id)
        )
        return result.one_or_none() is not None


def _template(row: Row[Any]) -> Template:
    return Template(row.id, row.name, row.description, read_fields(row.metadata), row.created_at, row.updated_at)


def _profile(row: Row[Any]) -> Profile:
    return Profile(row.template_id, read_fields(row.metadata))
