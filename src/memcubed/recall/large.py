"""Indexes for large cubes: an HNSW, a word and two order indexes for each cube that is too large to scan.

Each index is partial, on one cube. So a search in a large cube is no filtered search, ordinary cubes pay nothing, and
an index goes when its cube no longer needs it. docs/adr/0007-large-cubes.md has the measurements.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from memcubed.settings import libpq_url

LARGE: Final = 20_000
"""Memories from which a cube is worth indexes: up to here an exact scan is quick enough (docs/adr/0007)."""

_SHRUNK: Final = 2
"""Indexes are dropped when a cube has shrunk to this part of LARGE, so that one at the border keeps them."""

_FREQUENT: Final = 100
"""Words in fewer memories of a cube are counted by the search that finds them."""

_MOST_SPEAKERS: Final = 1000
_LOCK: Final = 0x6D656D34  # "mem4", so that two `index` commands take turns
_PREFIX: Final = "memcubed_large_"
_MEGABYTE: Final = 1 << 20
_MOST_DIMENSIONS: Final = 4000
"""Of an HNSW index over halfvec (pgvector 0.8)."""

_LARGE_CUBES: Final = """
SELECT c.id AS cube_id, c.project_id, m.number, v.space, v.dimensions, l.cube_id IS NOT NULL AS is_indexed
FROM cubes c
CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM memories WHERE cube_id = c.id AND status = 'activated'
) m
CROSS JOIN LATERAL (
    SELECT space, max(vector_dims(embedding)) AS dimensions FROM memory_vectors
    WHERE cube_id = c.id GROUP BY space ORDER BY count(*) DESC, space LIMIT 1
) v
LEFT JOIN large_cubes l ON l.cube_id = c.id
WHERE c.project_id = %(project)s AND m.number >= %(least)s AND v.dimensions <= %(dimensions)s
ORDER BY m.number DESC
"""

_DESCRIBE: Final = """
INSERT INTO large_cubes (
    cube_id, project_id, space, dimensions, memories, word_count, speakers, oldest, newest, indexed_at
)
SELECT %(cube)s, %(project)s, %(space)s, %(dimensions)s, count(*), coalesce(avg(word_count), 1),
    ARRAY(
        SELECT speaker FROM memories WHERE cube_id = %(cube)s AND status = 'activated' AND speaker IS NOT NULL
        GROUP BY speaker ORDER BY count(*) DESC, speaker LIMIT %(speakers)s
    ),
    min(told_at), max(told_at), now()
FROM memories WHERE cube_id = %(cube)s AND status = 'activated'
"""

_COUNT_WORDS: Final = """
INSERT INTO large_cube_words (cube_id, project_id, lexeme, documents)
SELECT %(cube)s, %(project)s, word, ndoc
FROM ts_stat(format('SELECT words FROM memories WHERE cube_id = %%L AND status = ''activated''', %(cube)s::uuid))
WHERE ndoc >= %(frequent)s
"""


@dataclass(frozen=True, slots=True)
class LargeCube:
    """A cube above the threshold, with the vector space that most of its memories are in."""

    cube_id: UUID
    project_id: UUID
    number: int
    space: str
    dimensions: int
    is_indexed: bool


@dataclass(frozen=True, slots=True)
class _Index:
    name: str
    table: str
    definition: sql.Composed


class LargeCubes:
    """Builds and drops the indexes of large cubes, as the tables' owner. Blocks; reads and writes go on meanwhile."""

    def __init__(self, owner_url: str, *, threshold: int = LARGE, memory_mb: int = 1024, workers: int = 0) -> None:
        self._url = owner_url
        self._threshold = threshold
        self._memory_mb = memory_mb
        self._workers = workers

    def update(self, report: Callable[[str], None]) -> None:
        """Index every cube from the threshold up, count anew what is indexed, drop what is no longer needed.

        Safe to repeat and to interrupt: an index is used when it is whole. `report` is told each step.
        """
        with psycopg.connect(libpq_url(self._url), autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            connection.execute(
                "SELECT set_config('maintenance_work_mem', %s, false),"
                " set_config('max_parallel_maintenance_workers', %s, false)",
                (f"{self._memory_mb}MB", str(self._workers)),
            )
            large = self._find(connection)
            for cube in large:
                self._build(connection, cube, report)
                _register(connection, cube)
            kept = {index.name for cube in large for index in _indexes(cube)}
            self._drop_others(connection, {cube.cube_id for cube in large}, kept, report)

    def _find(self, connection: psycopg.Connection[Any]) -> list[LargeCube]:
        found: list[LargeCube] = []
        for project_id in _projects(connection):
            values = {
                "project": project_id,
                "least": max(self._threshold // _SHRUNK, 1),
                "dimensions": _MOST_DIMENSIONS,
            }
            with _as_project(connection, project_id), connection.cursor(row_factory=class_row(LargeCube)) as cursor:
                found += cursor.execute(_LARGE_CUBES, values).fetchall()
        return [cube for cube in found if cube.is_indexed or cube.number >= self._threshold]

    def _build(self, connection: psycopg.Connection[Any], cube: LargeCube, report: Callable[[str], None]) -> None:
        for index in _indexes(cube):
            row = connection.execute(
                "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", (index.name,)
            ).fetchone()
            if row is not None and row[0]:
                continue
            if row is not None:  # a build that was interrupted
                _drop(connection, index.name)
            report(f"cube {cube.cube_id}, {cube.number} memories: building {index.name}")
            connection.execute(
                sql.SQL("CREATE INDEX CONCURRENTLY {} ON {} {}").format(
                    sql.Identifier(index.name), sql.Identifier(index.table), index.definition
                )
            )

    def _drop_others(
        self, connection: psycopg.Connection[Any], cubes: set[UUID], kept: set[str], report: Callable[[str], None]
    ) -> None:
        for project_id in _projects(connection):
            with _as_project(connection, project_id):
                connection.execute(
                    "DELETE FROM large_cubes WHERE project_id = %s AND NOT cube_id = ANY(%s)", (project_id, list(cubes))
                )
        names = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
            " WHERE starts_with(c.relname, %s) AND pg_table_is_visible(c.oid)",
            (_PREFIX,),
        )
        for (name,) in names.fetchall():
            if name not in kept:
                report(f"dropping {name}")
                _drop(connection, name)


def _indexes(cube: LargeCube) -> list[_Index]:
    stem = f"{_PREFIX}{cube.cube_id.hex}"
    space = hashlib.sha256(cube.space.encode()).hexdigest()[:8]
    cube_id = sql.Literal(str(cube.cube_id))
    live = sql.SQL("WHERE cube_id = {} AND status = 'activated'").format(cube_id)
    return [
        _Index(
            f"{stem}_conversation",
            "memories",
            sql.SQL("(conversation_id, (kind = 'fact'), sequence) {}").format(live),
        ),
        _Index(f"{stem}_raw", "memories", sql.SQL("(sequence) {} AND layer = 'WorkingMemory'").format(live)),
        # Without the list of pending entries, which every search would have to read through.
        _Index(f"{stem}_words", "memories", sql.SQL("USING gin (words) WITH (fastupdate = off) {}").format(live)),
        _Index(
            f"{stem}_{space}",
            "memory_vectors",
            sql.SQL(
                "USING hnsw ((embedding::halfvec({})) halfvec_cosine_ops) WHERE cube_id = {} AND space = {}"
            ).format(sql.Literal(cube.dimensions), cube_id, sql.Literal(cube.space)),
        ),
    ]


def _register(connection: psycopg.Connection[Any], cube: LargeCube) -> None:
    values = {
        "cube": cube.cube_id,
        "project": cube.project_id,
        "space": cube.space,
        "dimensions": cube.dimensions,
        "speakers": _MOST_SPEAKERS,
        "frequent": _FREQUENT,
    }
    with _as_project(connection, cube.project_id):
        connection.execute("DELETE FROM large_cubes WHERE cube_id = %(cube)s", values)
        connection.execute(_DESCRIBE, values)
        connection.execute(_COUNT_WORDS, values)


def _drop(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(name)))


def _projects(connection: psycopg.Connection[Any]) -> list[UUID]:
    return [row[0] for row in connection.execute("SELECT id FROM projects ORDER BY id")]


@contextmanager
def _as_project(connection: psycopg.Connection[Any], project_id: UUID) -> Iterator[None]:
    """A transaction that sees one project's rows, also when row-level security binds the owner."""
    with connection.transaction():
        connection.execute("SELECT set_config('memcubed.project_id', %s, true)", (str(project_id),))
        yield
