"""Cubes: the containers of memories, and the unit that rows are placed by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.errors import ServiceUnavailableError
from memcubed.store.tables import cubes

_ENSURE_TRIES: Final = 5

# A conflict may be in either unique index: with one named, one in the other at the same moment would be an error.
_HOLD_OR_MAKE: Final = text("""
    WITH held AS (
        SELECT id FROM cubes WHERE project_id = ANY(:project_ids) AND id = ANY(:ids) ORDER BY id FOR KEY SHARE
    ), made AS (
        INSERT INTO cubes (id, project_id, kind, owner)
        SELECT id, project_id, kind, owner
        FROM unnest(:ids, :project_ids, CAST(:kinds AS text[]), CAST(:owners AS text[]))
            AS wanted (id, project_id, kind, owner)
        WHERE id NOT IN (SELECT id FROM held)
        ORDER BY id
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    SELECT id FROM held UNION ALL SELECT id FROM made
""")


class CubeKind(StrEnum):
    """Whose memories a cube holds."""

    USER = "user"
    AGENT = "agent"
    PUBLIC = "public"
    KNOWLEDGE_BASE = "knowledgebase"


@dataclass(frozen=True, slots=True)
class Cube:
    """The memories of one owner in one project. Its id follows from these three, so it needs no look-up."""

    project_id: UUID
    kind: CubeKind
    owner: str

    @property
    def id(self) -> UUID:
        """The same for the same owner, always."""
        return uuid5(self.project_id, f"{self.kind}:{self.owner}")


def public_cube(project_id: UUID) -> Cube:
    """The memories that every search in the project may see."""
    return Cube(project_id, CubeKind.PUBLIC, "")


async def find_owner(connection: AsyncConnection, project_id: UUID, cube_id: UUID) -> str | None:
    """The id of the user or agent whose cube it is."""
    owner: str | None = (
        await connection.execute(select(cubes.c.owner).where(cubes.c.project_id == project_id, cubes.c.id == cube_id))
    ).scalar_one_or_none()
    return owner


async def find_kind(connection: AsyncConnection, project_id: UUID, cube_id: UUID) -> CubeKind | None:
    """What a cube holds the memories of; None when there is no such cube."""
    kind: str | None = (
        await connection.execute(select(cubes.c.kind).where(cubes.c.project_id == project_id, cubes.c.id == cube_id))
    ).scalar_one_or_none()
    return None if kind is None else CubeKind(kind)


def knowledge_cube(project_id: UUID, knowledge_base_id: UUID) -> Cube:
    """The memories of a knowledge base, in the project that it belongs to."""
    return Cube(project_id, CubeKind.KNOWLEDGE_BASE, str(knowledge_base_id))


async def ensure_cubes(connection: AsyncConnection, wanted: Iterable[Cube]) -> None:
    """Make the cubes that do not exist yet; none of them can be deleted before this transaction ends.

    To be called before any other row of these cubes is locked, or else the deletion of one and the write may wait for
    one another.
    """
    missing = {cube.id: cube for cube in wanted}
    for _ in range(_ENSURE_TRIES):
        missing = await _hold_or_make(connection, missing)
        if not missing:
            return
        # Somebody else made it at this moment: then it is held in the next round.
    raise ServiceUnavailableError("The owner of the memories is being deleted; try again.")


async def _hold_or_make(connection: AsyncConnection, wanted: Mapping[UUID, Cube]) -> dict[UUID, Cube]:
    """Hold those of these cubes that exist, and make the others; those that neither could be done with."""
    columns = [(cube.id, cube.project_id, cube.kind.value, cube.owner) for cube in wanted.values()]
    ids, project_ids, kinds, owners = map(list, zip(*columns, strict=True))
    done = await connection.execute(
        _HOLD_OR_MAKE, {"ids": ids, "project_ids": project_ids, "kinds": kinds, "owners": owners}
    )
    held = set(done.scalars())
    return {id_: cube for id_, cube in wanted.items() if id_ not in held}
