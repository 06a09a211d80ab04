"""A cube with indexes is searched like any other: the same best memories, the same walls between projects."""

import asyncio
from collections.abc import Iterator, Sequence
from uuid import UUID, uuid4

import psycopg
import pytest

from benchmarks.corpus import SPACE, Corpus, Probe
from memcubed.bootstrap import DatabaseUrls
from memcubed.memories.model import MemoryKind
from memcubed.recall.large import LargeCubes
from memcubed.recall.model import Found
from memcubed.recall.ranking import Weights
from memcubed.recall.repository import RecallRepository
from memcubed.recall.scope import SearchedCube
from memcubed.store.cubes import Cube, CubeKind
from memcubed.store.session import Database
from tests.support.databases import Databases

PROJECT, OTHER = UUID(int=1), UUID(int=2)
LARGE = Cube(PROJECT, CubeKind.USER, "large")
SMALL = Cube(PROJECT, CubeKind.USER, "small")
FOREIGN = Cube(OTHER, CubeKind.USER, "large")
SIZES = {LARGE: 1200, SMALL: 100, FOREIGN: 1200}
ALL = frozenset(MemoryKind)


@pytest.fixture(scope="module")
def filled(databases: Databases) -> Iterator[DatabaseUrls]:
    with databases.migrated() as urls:
        with psycopg.connect(urls.owner, autocommit=True) as connection:
            for project in (PROJECT, OTHER):
                connection.execute(
                    "INSERT INTO projects (id, name, timezone) VALUES (%s, %s, 'UTC')", (project, project)
                )
            for seed, (cube, size) in enumerate(SIZES.items()):
                connection.execute(
                    "INSERT INTO cubes (id, project_id, kind, owner) VALUES (%s, %s, 'user', %s)",
                    (cube.id, cube.project_id, cube.owner),
                )
                Corpus(seed).fill(connection, cube.project_id, [cube.id], size)
            connection.execute("VACUUM ANALYZE")
        yield urls


@pytest.fixture
def indexed(filled: DatabaseUrls) -> DatabaseUrls:
    LargeCubes(filled.owner, threshold=1000).update(lambda _: None)
    return filled


def probes(urls: DatabaseUrls, cube: Cube, count: int = 20) -> list[Probe]:
    with psycopg.connect(urls.owner, autocommit=True) as connection:
        return [probe for _, probe in Corpus(9).probes(connection, [cube.id], count)]


def search(
    urls: DatabaseUrls, project_id: UUID, cubes: Sequence[Cube], asked: Sequence[Probe], *, use_indexes: bool
) -> list[Found]:
    async def run() -> list[Found]:
        database = Database(urls.service, pool_size=2)
        try:
            repository = RecallRepository(database, use_indexes=use_indexes)
            return [
                await repository.search(
                    project_id,
                    [SearchedCube(cube.id) for cube in cubes],
                    ALL,
                    vector=probe.vector,
                    space=SPACE,
                    terms=probe.terms,
                    weights=Weights(),
                )
                for probe in asked
            ]
        finally:
            await database.close()

    return asyncio.run(run())


def best(found: Found) -> list[UUID]:
    ordered = sorted(found.candidates, key=lambda one: -((one.cosine or 0) + one.lexical + one.around))
    return [one.id for one in ordered[:10]]


def index_names(urls: DatabaseUrls) -> set[str]:
    with psycopg.connect(urls.owner) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relname LIKE 'memcubed\\_large\\_%' AND relkind = 'i'"
        )
        return {row[0] for row in rows}


def test_the_indexes_find_what_an_exact_scan_finds(indexed: DatabaseUrls) -> None:
    asked = probes(indexed, LARGE)
    exact = search(indexed, PROJECT, [LARGE], asked, use_indexes=False)
    by_index = search(indexed, PROJECT, [LARGE], asked, use_indexes=True)
    shared = [len(set(best(a)) & set(best(b))) / 10 for a, b in zip(exact, by_index, strict=True)]
    assert sum(shared) / len(shared) > 0.9
    assert all(best(a)[0] == best(b)[0] for a, b in zip(exact, by_index, strict=True))
    assert all(found.size == SIZES[LARGE] for found in by_index)


def test_a_large_and_an_ordinary_cube_are_searched_together(indexed: DatabaseUrls) -> None:
    asked = probes(indexed, SMALL)
    both = search(indexed, PROJECT, [LARGE, SMALL], asked, use_indexes=True)
    alone = search(indexed, PROJECT, [SMALL], asked, use_indexes=True)
    assert all(found.size == SIZES[LARGE] + SIZES[SMALL] for found in both)
    # What a probe is about comes first, whichever cube it is in.
    assert [best(a)[0] for a in both] == [best(b)[0] for b in alone]


def test_another_project_sees_nothing_of_a_large_cube(indexed: DatabaseUrls) -> None:
    asked = probes(indexed, LARGE, 3)
    assert all(not found.candidates for found in search(indexed, OTHER, [LARGE], asked, use_indexes=True))
    mine = search(indexed, OTHER, [FOREIGN], asked, use_indexes=True)
    assert all(found.candidates for found in mine)
    nobody = search(indexed, uuid4(), [LARGE, FOREIGN], asked, use_indexes=True)
    assert all(not found.candidates for found in nobody)


def test_an_index_goes_when_its_cube_is_no_longer_large(indexed: DatabaseUrls) -> None:
    assert any(LARGE.id.hex in name for name in index_names(indexed))
    LargeCubes(indexed.owner, threshold=10_000).update(lambda _: None)
    assert not index_names(indexed)
    asked = probes(indexed, LARGE, 3)
    assert all(found.size == SIZES[LARGE] for found in search(indexed, PROJECT, [LARGE], asked, use_indexes=True))


def test_building_again_changes_nothing(indexed: DatabaseUrls) -> None:
    before = index_names(indexed)
    steps: list[str] = []
    LargeCubes(indexed.owner, threshold=1000).update(steps.append)
    assert index_names(indexed) == before
    assert steps == []
