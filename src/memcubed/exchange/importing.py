"""Reading an exported file into a project: all of it, or nothing."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import Integer, literal_column
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.exchange.model import FORMAT, VERSION, ExchangeError, Travelling, travelling_tables
from memcubed.exchange.values import from_json, renamed
from memcubed.memories.model import MemoryKind
from memcubed.profiles.model import field_memory_id
from memcubed.projects.model import Project
from memcubed.projects.service import store_planned
from memcubed.store.cubes import Cube, CubeKind
from memcubed.store.session import Database
from memcubed.store.tables import cubes, memories

_BATCH: Final = 200
_OWNED_FROM_OUTSIDE: Final = frozenset({CubeKind.USER, CubeKind.AGENT, CubeKind.PUBLIC})
"""Cubes whose owner's id is the application's; of others it is an id of ours."""


@dataclass(slots=True)
class Imported:
    """What an import came to: rows by table, those that were there already left out."""

    rows: dict[str, int] = field(default_factory=dict)
    cubes: set[UUID] = field(default_factory=set)


@dataclass(slots=True)
class _Names:
    """New ids in place of old ones. The same file gives the same ids, so that it can be imported twice."""

    project_id: UUID
    known: dict[str, str] = field(default_factory=dict)

    def rename(self, old: str) -> str:
        return self.known.get(old, old)

    def give(self, old: str) -> None:
        self.known[old] = str(uuid5(self.project_id, f"imported:{old}"))


class Importer:
    """Gives rows the ids of the project that they come into; what is there already stays as it is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, project: Project, lines: Iterable[str], *, is_new: bool = False) -> Imported:
        """Store what the lines hold, in one transaction, with the project itself where that is new.

        Raises ExchangeError, naming the line, and ConflictError when a new project's name is taken.
        """
        tables = {travelling.name: travelling for travelling in travelling_tables()}
        names, imported = _Names(project.id), Imported()
        async with self._database.transaction(project.id) as connection:
            if is_new:
                await store_planned(connection, project)
            rows_read = _Rows(lines)
            for name, batch in _batches(rows_read):
                travelling = tables.get(name)
                if travelling is None:
                    raise ExchangeError(f"Line {batch[0][0]}: there is no table {name!r} in this release.")
                rows = [_row(number, travelling, row, names) for number, row in batch]
                imported.rows[name] = imported.rows.get(name, 0) + await _store(connection, travelling, rows, batch)
                if travelling.table is cubes:
                    imported.cubes |= {row["id"] for row in rows}
            rows_read.check_end()
        return imported


class _Rows:
    """The rows of a file with the numbers of their lines; whether they are all is known when they have been read."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self._number = 0
        self._count: int | None = None

    def __iter__(self) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
        """Each line's number, its table and its row. Raises ExchangeError for what is no row."""
        for line in self._lines:
            self._number += 1
            try:
                content = json.loads(line)
            except ValueError as error:
                raise ExchangeError(f"Line {self._number} is not JSON: {error}.") from error
            if self._number == 1:
                _check_header(content)
            elif self._count is not None:
                raise ExchangeError(f"Line {self._number} is behind the end of the export.")
            elif isinstance(content, dict) and isinstance(content.get("rows"), int):
                self._count = content["rows"]
            elif not isinstance(content, dict) or not isinstance(content.get("row"), dict):
                raise ExchangeError(f"Line {self._number} is no row of an export.")
            else:
                yield self._number, str(content.get("table")), content["row"]

    def check_end(self) -> None:
        """Raises ExchangeError where rows are missing."""
        if self._number == 0:
            raise ExchangeError("Line 1: the file is empty.")
        if self._count is None:
            raise ExchangeError(f"Line {self._number} is the last one, but no end of an export: the rest is missing.")
        if self._count != self._number - 2:
            raise ExchangeError(
                f"Line {self._number}: the export had {self._count} rows, and the file has {self._number - 2}."
            )


def _check_header(content: object) -> None:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ExchangeError("Line 1: this is no file that `memcubed export` has written.")
    if content.get("version") != VERSION:
        raise ExchangeError(f"Line 1: version {content.get('version')!r}; this release reads version {VERSION}.")


def _batches(
    numbered: Iterable[tuple[int, str, Mapping[str, Any]]],
) -> Iterator[tuple[str, list[tuple[int, Mapping[str, Any]]]]]:
    table, batch = "", list[tuple[int, Mapping[str, Any]]]()
    for number, name, row in numbered:
        if batch and (name != table or len(batch) == _BATCH):
            yield table, batch
            batch = []
        table = name
        batch.append((number, row))
    if batch:
        yield table, batch


def _row(number: int, travelling: Travelling, row: Mapping[str, Any], names: _Names) -> dict[str, Any]:
    columns = {column.name: column for column in travelling.columns}
    unknown = row.keys() - columns.keys()
    if unknown:
        raise ExchangeError(f"Line {number}: {travelling.name} has no column {min(unknown)!r} in this release.")
    if row.get("cube_id", "") not in names.known and "cube_id" in columns:
        # The cube of this id may be another project's.
        raise ExchangeError(f"Line {number}: the file does not hold the cube of this row.")
    try:
        _name(travelling, row, names)
        read = {name: from_json(columns[name], renamed(value, names.rename)) for name, value in row.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise ExchangeError(f"Line {number}: a value of {travelling.name} can't be read ({error}).") from error
    return {**read, "project_id": names.project_id}


def _name(travelling: Travelling, row: Mapping[str, Any], names: _Names) -> None:
    """Learn the new id of a row that is to have one."""
    table = travelling.table
    if table is cubes:
        kind = CubeKind(row["kind"])
        if kind not in _OWNED_FROM_OUTSIDE:
            names.give(row["owner"])
        cube = Cube(names.project_id, kind, names.rename(row["owner"]))
        names.known[row["id"]] = str(cube.id)
    elif table is memories:
        if row["kind"] == MemoryKind.PROFILE:
            details = row["details"]
            template = UUID(names.rename(details["template_id"]))
            cube_id = UUID(names.rename(row["cube_id"]))
            names.known[row["id"]] = str(field_memory_id(cube_id, template, tuple(details["path"])))
    elif [column.name for column in table.primary_key.columns] == ["id"]:
        # Where the key is the id alone, the original may be in this database as well.
        names.give(row["id"])


async def _store(
    connection: AsyncConnection,
    travelling: Travelling,
    rows: list[dict[str, Any]],
    batch: list[tuple[int, Mapping[str, Any]]],
) -> int:
    statement = insert(travelling.table).on_conflict_do_nothing().returning(literal_column("1", Integer()))
    try:
        return len((await connection.execute(statement, rows)).all())
    except SQLAlchemyError as error:
        first, last = batch[0][0], batch[-1][0]
        reason = str(error).splitlines()[0]
        raise ExchangeError(f"Lines {first} to {last}: {travelling.name} can't be stored ({reason}).") from error
