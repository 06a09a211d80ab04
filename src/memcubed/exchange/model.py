"""What an exported file holds: a header, a row a line, parents before what belongs to them, and the number of rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Column, Table

from memcubed.errors import MemcubedError
from memcubed.store import tables

FORMAT: Final = "memcubed export"
VERSION: Final = 2

VECTORS: Final = tables.memory_vectors.name

LEFT_OUT: Final[Mapping[str, str]] = {
    "projects": "the project that is imported into has its own",
    "api_keys": "keys are never exported",
    "admin_keys": "keys are never exported",
    "project_rates": "what was used of a limit just now",
    "usage_days": "what the work cost where it was done",
    "usage_tasks": "what the work cost where it was done",
    "usage_day_kinds": "what the work cost where it was done",
    "usage_task_kinds": "what the work cost where it was done",
    "kept_answers": "of work that is begun anew where it is imported",
    "knowledge_links": "they name other projects' knowledge bases; `memcubed knowledgebase link` makes them",
    "calibrations": "fitted for each installation",
    "large_cubes": "made anew by `memcubed index`",
    "large_cube_words": "made anew by `memcubed index`",
}
"""The tables that do not travel, and why."""


class ExchangeError(MemcubedError):
    """A file that can't be imported; the message names the line."""


@dataclass(frozen=True, slots=True)
class Travelling:
    """A table whose rows travel, with the columns that do: what the server makes itself is left out."""

    table: Table
    columns: tuple[Column[object], ...]

    @property
    def name(self) -> str:
        """The table's name, which its lines carry."""
        return self.table.name


def travelling_tables() -> list[Travelling]:
    """Every table that travels, parents first."""
    return [
        Travelling(table, tuple(column for column in table.columns if column.identity is None))
        for table in tables.metadata.sorted_tables
        if table.name not in LEFT_OUT
    ]


def order_of(table: Table) -> list[Column[object]]:
    """What the rows of a table are sorted by: the order they were made in where that counts, else their key."""
    made = [column for column in table.columns if column.identity is not None]
    return [*made, *table.primary_key.columns]
