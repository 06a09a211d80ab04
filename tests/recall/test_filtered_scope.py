"""To a search with a filter, what the filter leaves out is not there: no score, count or neighbour comes from it."""

import asyncio
from collections.abc import Iterator, Sequence
from uuid import UUID

import psycopg
import pytest

from benchmarks.corpus import SPACE, Corpus, Probe
from memcubed.bootstrap import DatabaseUrls
from memcubed.filters.model import AnyOf, InfoIs, Tagged
from memcubed.memories.model import MemoryKind
from memcubed.recall.large import LargeCubes
from memcubed.recall.model import Found
from memcubed.recall.ranking import Weights
from memcubed.recall.repository import RecallRepository
from memcubed.recall.scope import SearchedCube
from memcubed.store.cubes import Cube, CubeKind
from memcubed.store.session import Database
from tests.support.databases import Databases

PROJECT = UUID(int=1)
WHOLE = Cube(PROJECT, CubeKind.USER, "whole")
PART = Cube(PROJECT, CubeKind.USER, "part")
OTHER = Cube(PROJECT, CubeKind.AGENT, "other")
SIZE = 600
KEPT = InfoIs("scene", ("kept",))

# Runs of a conversation are broken, so that neighbours fall to both sides.
MARK = 'UPDATE memories SET info = \'{"scene": "kept"}\' WHERE cube_id = %s AND sequence %% 3 < 2'
COPIES = (
    """
    INSERT INTO memories (cube_id, id, project_id, kind, layer, status, key, value, index_text, source_role, speaker,
        words, word_count, confidence, conversation_id, extractor, fingerprint, told_at, created_at, updated_at)
    SELECT %(part)s, id, project_id, kind, layer, status, key, value, index_text, source_role, speaker,
        words, word_count, confidence, conversation_id, extractor, fingerprint, told_at, created_at, updated_at
    FROM memories WHERE cube_id = %(whole)s AND info <> '{}' ORDER BY sequence
    """,
    """
    INSERT INTO memory_vectors (cube_id, memory_id, project_id, space, embedding)
    SELECT %(part)s, v.memory_id, v.project_id, v.space, v.embedding FROM memory_vectors v
    JOIN memories m ON m.cube_id = %(part)s AND m.id = v.memory_id WHERE v.cube_id = %(whole)s
    """,
)


@pytest.fixture(scope="module")
def filled(databases: Databases) -> Iterator[DatabaseUrls]:
    with databases.migrated() as urls:
        with psycopg.connect(urls.owner, autocommit=True) as connection:
            connection.execute("INSERT INTO projects (id, name, timezone) VALUES (%s, 'p', 'UTC')", (PROJECT,))
            for cube in (WHOLE, PART, OTHER):
                connection.execute(
                    "INSERT INTO cubes (id, project_id, kind, owner) VALUES (%s, %s, %s, %s)",
                    (cube.id, PROJECT, cube.kind.value, cube.owner),
                )
            Corpus(1).fill(connection, PROJECT, [WHOLE.id], SIZE)
            Corpus(2).fill(connection, PROJECT, [OTHER.id], 100)
            connection.execute(MARK, (WHOLE.id,))
            for copy in COPIES:
                connection.execute(copy, {"part": PART.id, "whole": WHOLE.id})
            connection.execute("VACUUM ANALYZE")
        yield urls


@pytest.fixture(scope="module")
def asked(filled: DatabaseUrls) -> list[Probe]:
    with psycopg.connect(filled.owner, autocommit=True) as connection:
        return [probe for _, probe in Corpus(9).probes(connection, [WHOLE.id, OTHER.id], 12)]


def search(urls: DatabaseUrls, cubes: Sequence[SearchedCube], asked: Sequence[Probe]) -> list[Found]:
    async def run() -> list[Found]:
        database = Database(urls.service, pool_size=2)
        try:
            repository = RecallRepository(database)
            return [
                await repository.search(
                    PROJECT,
                    cubes,
                    frozenset(MemoryKind),
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


def scores(found: Found) -> dict[UUID, tuple[object, ...]]:
    return {
        one.id: (round(one.cosine or 0, 6), round(one.lexical, 9), round(one.around, 9), one.place)
        for one in found.candidates
    }


def agree(filtered: Sequence[Found], alone: Sequence[Found]) -> None:
    for one, other in zip(filtered, alone, strict=True):
        assert scores(one)
        assert scores(one) == scores(other)
        assert (one.size, one.speakers, one.oldest) == (other.size, other.speakers, other.oldest)


def test_a_filter_answers_like_a_cube_with_nothing_else(filled: DatabaseUrls, asked: list[Probe]) -> None:
    filtered = search(filled, [SearchedCube(WHOLE.id, KEPT)], asked)
    agree(filtered, search(filled, [SearchedCube(PART.id)], asked))
    assert {found.size for found in filtered} == {SIZE * 2 // 3}


def test_each_cube_has_its_own_condition(filled: DatabaseUrls, asked: list[Probe]) -> None:
    nothing = InfoIs("scene", ("nowhere",))
    other = SearchedCube(OTHER.id)
    agree(
        search(filled, [SearchedCube(WHOLE.id, KEPT), other], asked),
        search(filled, [SearchedCube(PART.id), other], asked),
    )
    agree(search(filled, [SearchedCube(WHOLE.id, nothing), other], asked), search(filled, [other], asked))
    agree(
        search(filled, [SearchedCube(WHOLE.id, KEPT), SearchedCube(OTHER.id, nothing)], asked),
        search(filled, [SearchedCube(PART.id)], asked),
    )


def test_one_condition_for_several_cubes(filled: DatabaseUrls, asked: list[Probe]) -> None:
    condition = AnyOf((KEPT, Tagged("x")))
    agree(
        search(filled, [SearchedCube(WHOLE.id, condition), SearchedCube(OTHER.id, condition)], asked),
        search(filled, [SearchedCube(PART.id)], asked),
    )


def test_a_condition_on_1_is_none_on_true(filled: DatabaseUrls, asked: list[Probe]) -> None:
    with psycopg.connect(filled.owner, autocommit=True) as connection:
        connection.execute("UPDATE memories SET info = '{\"n\": true}' WHERE cube_id = %s", (OTHER.id,))
    number, truth = InfoIs("n", (1,)), InfoIs("n", (True,))
    cubes = [SearchedCube(WHOLE.id, number), SearchedCube(OTHER.id, truth)]
    assert {found.size for found in search(filled, cubes, asked)} == {100}


def test_a_condition_that_nothing_meets_finds_nothing(filled: DatabaseUrls, asked: list[Probe]) -> None:
    found = search(filled, [SearchedCube(WHOLE.id, Tagged("nowhere"))], asked)
    assert all(not one.candidates for one in found)


def test_a_large_cube_is_scanned_for_what_meets_the_condition(filled: DatabaseUrls, asked: list[Probe]) -> None:
    LargeCubes(filled.owner, threshold=500).update(lambda _: None)
    with psycopg.connect(filled.owner) as connection:
        indexed = connection.execute("SELECT cube_id FROM large_cubes").fetchall()
    assert indexed == [(WHOLE.id,)]
    agree(search(filled, [SearchedCube(WHOLE.id, KEPT)], asked), search(filled, [SearchedCube(PART.id)], asked))
