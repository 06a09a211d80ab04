"""Writing a project, or one cube of it, a line at a time."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.clock import Clock
from memcubed.errors import NotFoundError
from memcubed.exchange.model import FORMAT, VECTORS, VERSION, Travelling, order_of, travelling_tables
from memcubed.exchange.values import to_json
from memcubed.projects.model import Project
from memcubed.store.cubes import Cube
from memcubed.store.session import Database
from memcubed.store.tables import cubes, messages, task_shares

_BATCH: Final = 500


class Exporter:
    """Reads one state of the database, whatever goes on meanwhile."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def export(self, project: Project, cube: Cube | None = None, *, vectors: bool = False) -> AsyncIterator[str]:
        """The lines of a project, or of one cube of it. Raises NotFoundError when there is no such cube.

        Vectors are left out unless asked for: they are made anew where they are missing.
        """
        async with self._database.snapshot(project.id) as connection:
            if cube is not None and not (await connection.execute(_is_there(cube))).first():
                raise NotFoundError(f"The project has no memories of {cube.kind} {cube.owner!r}.")
            yield _line(
                {
                    "format": FORMAT,
                    "version": VERSION,
                    "project": project.name,
                    "timezone": project.timezone.key,
                    "exported_at": self._clock().isoformat(),
                    "has_vectors": vectors,
                }
            )
            number = 0
            for travelling in travelling_tables():
                if travelling.name == VECTORS and not vectors:
                    continue
                async for row in _rows(connection, travelling, project.id, cube):
                    yield _line({"table": travelling.name, "row": row})
                    number += 1
            yield _line({"rows": number})


def _is_there(cube: Cube) -> Select[Any]:
    return select(cubes.c.id).where(cubes.c.project_id == cube.project_id, cubes.c.id == cube.id)


async def _rows(
    connection: AsyncConnection, travelling: Travelling, project_id: UUID, cube: Cube | None
) -> AsyncIterator[Mapping[str, object]]:
    table = travelling.table
    every: Select[Any] = select(*cast("list[Any]", travelling.columns))
    statement = every.where(table.c.project_id == project_id).order_by(*order_of(table))
    if cube is not None:
        statement = _of_cube(statement, travelling, cube)
    result = await connection.stream(statement.execution_options(yield_per=_BATCH))
    async for row in result.mappings():
        yield {name: to_json(value) for name, value in row.items() if name != "project_id"}


def _of_cube(statement: Select[Any], travelling: Travelling, cube: Cube) -> Select[Any]:
    table = travelling.table
    if table is cubes:
        return statement.where(table.c.id == cube.id)
    if "cube_id" in table.c:
        return statement.where(table.c.cube_id == cube.id)
    if table.name == "tasks":
        shares = select(task_shares.c.task_id).where(task_shares.c.cube_id == cube.id)
        told = select(messages.c.task_id).where(messages.c.cube_id == cube.id)
        return statement.where(table.c.id.in_(shares.union(told)))
    return statement  # templates and the like: few, and those that cubes refer to are among them


def _line(content: Mapping[str, object]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"
