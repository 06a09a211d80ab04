"""Use cases around profiles. Every known field is a memory of its own, so that profiles are recalled like the rest."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID, uuid4

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.clock import Clock
from memcubed.errors import InvalidRequestError, NotFoundError, ProviderError
from memcubed.memories.model import MemoryKind, MemoryLayer, NewMemory, Provenance, SourceRole
from memcubed.memories.service import MemoryService
from memcubed.messages.model import Turn
from memcubed.profiles.filling import Filling, OpenField, ProfileFiller, own_turns
from memcubed.profiles.model import SEPARATOR, FieldPath, Fields, Leaf, Profile, Template, field_memory_id, read_fields
from memcubed.profiles.repository import ProfileRepository
from memcubed.profiles.schemas import (
    AddTemplateRequest,
    BindRequest,
    EditProfileRequest,
    ListTemplatesRequest,
    ProfileRequest,
    UpdateTemplateRequest,
    template_uuid,
)
from memcubed.store.cubes import Cube, ensure_cubes, find_owner
from memcubed.store.session import Database

_EDITOR: Final = "profile edit"
_NO_CONVERSATION: Final = ""

EnqueueEmbedding = Callable[[UUID, UUID], Awaitable[None]]
"""Puts a job on the queue that gives a cube's memories their missing vectors."""

log = structlog.get_logger(__name__)


class ProfileService:
    """Keeps templates, binds them to users and agents, and fills, edits and locks their fields."""

    def __init__(
        self,
        database: Database,
        memories: MemoryService,
        filler: ProfileFiller,
        enqueue_embedding: EnqueueEmbedding,
        clock: Clock,
    ) -> None:
        self._database = database
        self._memories = memories
        self._filler = filler
        self._enqueue_embedding = enqueue_embedding
        self._clock = clock

    async def add_template(self, project_id: UUID, request: AddTemplateRequest) -> Template:
        """A new template."""
        now = self._clock()
        template = Template(
            uuid4(), request.name or "", request.description or "", read_fields(request.metadata), now, now
        )
        async with self._database.transaction(project_id) as connection:
            await ProfileRepository(connection, project_id).add_template(template)
        return template

    async def get_template(self, project_id: UUID, template_id: str) -> Template:
        """A template. Raises NotFoundError."""
        async with self._database.transaction(project_id) as connection:
            return await _get_template(ProfileRepository(connection, project_id), template_id)

    async def list_templates(self, project_id: UUID, request: ListTemplatesRequest) -> tuple[list[Template], int]:
        """A page of templates, newest first, and how many there are."""
        async with self._database.transaction(project_id) as connection:
            return await ProfileRepository(connection, project_id).list_templates(
                limit=request.size, offset=(request.page - 1) * request.size
            )

    async def update_template(self, project_id: UUID, request: UpdateTemplateRequest) -> None:
        """Change a template, and with it the fields of its profiles: values and locks of those that stay are kept."""
        changed: list[UUID] = []
        async with self._database.transaction(project_id) as connection:
            repository = ProfileRepository(connection, project_id)
            template = await _get_template(repository, request.profile_template_id, lock=True)
            template = replace(
                template,
                name=template.name if request.name is None else request.name,
                description=template.description if request.description is None else request.description,
                fields=template.fields if request.metadata is None else read_fields(request.metadata),
                updated_at=self._clock(),
            )
            await repository.update_template(template)
            if request.metadata is not None:
                for cube_id in await repository.list_bound_cubes(template.id):
                    profile = await repository.find_profile(cube_id, template.id)
                    if profile is not None:
                        fields = {path: _kept(profile.fields.get(path), leaf) for path, leaf in template.fields.items()}
                        await self._store(connection, project_id, cube_id, profile, fields)
                        changed.append(cube_id)
        for cube_id in changed:
            await self._enqueue_embedding(project_id, cube_id)

    async def delete_template(self, project_id: UUID, template_id: str) -> None:
        """Remove a template with its profiles and what they held. Raises NotFoundError."""
        async with self._database.transaction(project_id) as connection:
            repository = ProfileRepository(connection, project_id)
            template = await _get_template(repository, template_id, lock=True)
            for cube_id in await repository.list_bound_cubes(template.id):
                profile = await repository.find_profile(cube_id, template.id)
                if profile is not None:
                    await self._forget(connection, project_id, cube_id, profile)
            await repository.delete_template(template.id)

    async def bind(self, project_id: UUID, request: BindRequest) -> None:
        """Give users and agents profiles; all of them or, when a template does not exist, none. Safe to repeat."""
        cubes: set[Cube] = set()
        async with self._database.transaction(project_id) as connection:
            repository = ProfileRepository(connection, project_id)
            for binding in sorted(request.bind_list, key=lambda one: (one.profile_template_id, one.owner)):
                template = await _get_template(repository, binding.profile_template_id, lock=True)
                cube = Cube(project_id, *binding.owner)
                await ensure_cubes(connection, [cube])
                if await repository.add_profile(cube.id, template.id, template.fields, self._clock()):
                    unfilled = Profile(template.id, {})
                    await self._store(connection, project_id, cube.id, unfilled, template.fields)
                    cubes.add(cube)
        for cube in cubes:
            await self._enqueue_embedding(project_id, cube.id)

    async def edit(self, project_id: UUID, request: EditProfileRequest) -> Profile:
        """Set, lock, open and clear fields; the profile as it stands then. Raises NotFoundError."""
        cube = Cube(project_id, *request.owner)
        async with self._database.transaction(project_id) as connection:
            profile = await _get_profile(ProfileRepository(connection, project_id), cube, request.profile_template_id)
            fields = dict(profile.fields)
            for path in request.removed:
                within = [other for other in fields if other[: len(path)] == path]
                if not within:
                    raise _unknown_field("remove_fields", path)
                fields |= {other: replace(fields[other], value=None) for other in within}
            for path, leaf in request.fields.items():
                if path not in fields:
                    raise _unknown_field("metadata", path)
                fields[path] = replace(leaf, description=fields[path].description)
            await self._store(connection, project_id, cube.id, profile, fields)
        await self._enqueue_embedding(project_id, cube.id)
        return Profile(profile.template_id, fields)

    async def delete(self, project_id: UUID, request: ProfileRequest) -> None:
        """Remove a profile with what it held. Raises NotFoundError."""
        cube = Cube(project_id, *request.owner)
        async with self._database.transaction(project_id) as connection:
            repository = ProfileRepository(connection, project_id)
            profile = await _get_profile(repository, cube, request.profile_template_id)
            await self._forget(connection, project_id, cube.id, profile)
            await repository.delete_profile(cube.id, profile.template_id)

    async def propose(self, project_id: UUID, cube_id: UUID, turns: Sequence[Turn]) -> list[Filling]:
        """Values for the open fields of a cube's profiles, out of what its owner said; nothing is stored yet.

        No model is called where there is no profile. What the model fails to give is left for a later conversation.
        """
        async with self._database.look_up(project_id) as connection:
            profiles = await ProfileRepository(connection, project_id).list_profiles(cube_id)
        if not profiles:
            return []
        async with self._database.look_up(project_id) as connection:
            owner = await find_owner(connection, project_id, cube_id)
        said = own_turns(turns, owner or "")
        fields = [
            OpenField(profile.template_id, path, leaf.text, leaf.description)
            for profile in profiles
            for path, leaf in profile.fields.items()
            if leaf.algorithm_updatable
        ]
        if not fields or not said:
            return []
        try:
            return await self._filler.fill(fields, said)
        except ProviderError as error:
            log.warning("profile_not_filled", project_id=str(project_id), reason=error.message)
            return []

    async def apply(
        self, connection: AsyncConnection, project_id: UUID, cube_id: UUID, fillings: Sequence[Filling], task_id: UUID
    ) -> int:
        """Store proposed values in the caller's transaction, but for fields locked or removed meanwhile; how many."""
        repository = ProfileRepository(connection, project_id)
        done = 0
        for template_id in sorted({filling.template_id for filling in fillings}):
            profile = await repository.find_profile(cube_id, template_id)
            if profile is None:
                continue
            fields, filled = dict(profile.fields), {}
            for filling in fillings:
                leaf = fields.get(filling.path)
                if filling.template_id == template_id and leaf is not None and leaf.algorithm_updatable:
                    fields[filling.path] = replace(leaf, value=filling.value)
                    filled[filling.path] = filling
            await self._store(connection, project_id, cube_id, profile, fields, filled=filled, task_id=task_id)
            done += len(filled)
        return done

    async def _store(
        self,
        connection: AsyncConnection,
        project_id: UUID,
        cube_id: UUID,
        profile: Profile,
        fields: Fields,
        *,
        filled: dict[FieldPath, Filling] | None = None,
        task_id: UUID | None = None,
    ) -> None:
        """Keep a profile's fields, and bring the memories that show them into line."""
        gone = [path for path, leaf in profile.fields.items() if leaf.text and not fields.get(path, Leaf()).text]
        await self._memories.remove(
            connection, project_id, cube_id, [field_memory_id(cube_id, profile.template_id, path) for path in gone]
        )
        extractor = _EDITOR if filled is None else f"profile {self._filler.name}"
        provenance = Provenance(task_id, _NO_CONVERSATION)
        for path, leaf in sorted(
            fields.items(), key=lambda field: field_memory_id(cube_id, profile.template_id, field[0])
        ):
            if leaf.text and leaf != profile.fields.get(path):
                memory = self._memory(cube_id, profile.template_id, path, leaf, (filled or {}).get(path))
                await self._memories.put(connection, project_id, cube_id, memory, provenance, extractor=extractor)
        repository = ProfileRepository(connection, project_id)
        await repository.update_profile(cube_id, Profile(profile.template_id, fields), self._clock())

    async def _forget(self, connection: AsyncConnection, project_id: UUID, cube_id: UUID, profile: Profile) -> None:
        ids = [field_memory_id(cube_id, profile.template_id, path) for path in profile.fields]
        await self._memories.remove(connection, project_id, cube_id, ids)

    def _memory(
        self, cube_id: UUID, template_id: UUID, path: FieldPath, leaf: Leaf, filling: Filling | None
    ) -> NewMemory:
        name = " ".join(path)
        return NewMemory(
            id=field_memory_id(cube_id, template_id, path),
            kind=MemoryKind.PROFILE,
            layer=MemoryLayer.USER,
            key=SEPARATOR.join(path),
            value=leaf.text,
            index_text=f"{name}: {leaf.text}",
            source_ids=() if filling is None else filling.source_ids,
            source_role=SourceRole.SYSTEM if filling is None else SourceRole.USER,
            told_at=self._clock(),
            details={
                "template_id": str(template_id),
                "path": list(path),
                "algorithm_updatable": leaf.algorithm_updatable,
            },
            confidence=1.0 if filling is None else filling.confidence,
        )


def _kept(held: Leaf | None, leaf: Leaf) -> Leaf:
    return leaf if held is None else replace(held, description=leaf.description)


def _unknown_field(field: str, path: FieldPath) -> InvalidRequestError:
    return InvalidRequestError(f"{field}: the template has no field {SEPARATOR.join(path)[:200]!r}.")


async def _get_template(repository: ProfileRepository, template_id: str, *, lock: bool = False) -> Template:
    template = await repository.find_template(template_uuid(template_id), lock=lock)
    if template is None:
        raise NotFoundError(f"There is no profile template {template_id[:100]!r}.")
    return template


async def _get_profile(repository: ProfileRepository, cube: Cube, template_id: str) -> Profile:
    profile = await repository.find_profile(cube.id, template_uuid(template_id))
    if profile is None:
        raise NotFoundError(
            f"This {cube.kind} has no profile of the template {template_id[:100]!r}; bind/profile_template makes one."
        )
    return profile
