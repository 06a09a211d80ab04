"""Search at 10 thousand, 100 thousand and a million memories in one project: `python -m benchmarks.scale`.

    python -m benchmarks.scale [--rows 10000,100000,1000000] [--large 10000,100000] [--searches 100]

First many users of 1,000 memories each, then one user with them all, scored exactly and by the indexes that
`memcubed index` builds. The statement is the product's own, sent as the service's role. `recall@10` compares the best
ten by vectors, and by all arms together, with those of an exact scan. Data is synthetic (see `corpus`).
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg

from benchmarks.corpus import SPACE, Corpus, Probe
from memcubed import embedded
from memcubed.memories.model import MemoryKind
from memcubed.recall.large import LargeCubes
from memcubed.recall.model import Arm, Found
from memcubed.recall.ranking import Weights
from memcubed.recall.repository import RecallRepository
from memcubed.recall.scope import SearchedCube
from memcubed.store.cubes import Cube, CubeKind, public_cube
from memcubed.store.migrate import migrate
from memcubed.store.session import Database

USER_MEMORIES: Final = 1000
_WARM_UP: Final = 5
_PROJECT: Final = UUID(int=0x3)


@dataclass(frozen=True, slots=True)
class _Times:
    p50: float
    p99: float


def main() -> None:
    """Parse the command line and run both parts."""
    parser = argparse.ArgumentParser(prog="benchmarks.scale", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="10000,100000,1000000", help="memories in the project, by commas")
    parser.add_argument("--large", default="10000,100000", help="memories in one cube, by commas")
    parser.add_argument("--searches", type=int, default=100)
    options = parser.parse_args()
    rows = [int(number) for number in options.rows.split(",") if number]
    large = [int(number) for number in options.large.split(",") if number]
    if rows:
        print(f"## users of {USER_MEMORIES} memories each, one project\n")
        print(f"{'memories':>10}{'users':>8}{'load s':>9}{'p50 ms':>9}{'p99 ms':>9}{'recall@10':>11}")
        for number in rows:
            _in_a_database(lambda home, number=number: _users(home, number, options.searches))
    if large:
        print("\n## one user with them all\n")
        print(
            f"{'memories':>10}{'form':>10}{'build s':>9}{'p50 ms':>9}{'p99 ms':>9}{'vectors@10':>12}{'all arms@10':>13}"
        )
        for number in large:
            _in_a_database(lambda home, number=number: _one_user(home, number, options.searches))


def _in_a_database(measure: Any) -> None:  # noqa: ANN401 - a function of the home folder
    with tempfile.TemporaryDirectory(prefix="memcubed-scale-") as folder:
        home = Path(folder)
        try:
            measure(home)
        finally:
            embedded.stop(home)


def _prepare(home: Path, owners: Sequence[str], each: int) -> tuple[str, str, list[UUID], float]:
    """A database with the memories of these owners: its owner's and its service's URL, the cubes, the seconds."""
    server = embedded.start(home)
    migrate(server.admin_url, server.service_url)
    cubes = [Cube(_PROJECT, CubeKind.USER, owner).id for owner in owners]
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        connection.execute("INSERT INTO projects (id, name, timezone) VALUES (%s, 'scale', 'UTC')", (_PROJECT,))
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO cubes (id, project_id, kind, owner) VALUES (%s, %s, 'user', %s)",
                [(cube, _PROJECT, owner) for cube, owner in zip(cubes, owners, strict=True)],
            )
        started = time.perf_counter()
        Corpus().fill(connection, _PROJECT, cubes, each)
        seconds = time.perf_counter() - started
        connection.execute("VACUUM (ANALYZE)")
    return server.admin_url, server.service_url, cubes, seconds


def _users(home: Path, number: int, searches: int) -> None:
    owners = [f"user-{i}" for i in range(number // USER_MEMORIES)]
    owner_url, service_url, cubes, seconds = _prepare(home, owners, USER_MEMORIES)
    probes = _probes(owner_url, cubes, searches)
    times, found = asyncio.run(_search(service_url, probes, Weights(), use_indexes=True))
    _, gold = asyncio.run(_search(service_url, probes, Weights(), use_indexes=False))
    recall = _recall(found, gold, Weights())
    print(f"{number:10}{len(owners):8}{seconds:9.1f}{times.p50:9.1f}{times.p99:9.1f}{recall:11.3f}", flush=True)


def _one_user(home: Path, number: int, searches: int) -> None:
    owner_url, service_url, cubes, _ = _prepare(home, ["one"], number)
    probes = _probes(owner_url, cubes, searches)
    vectors = Weights.of([Arm.VECTORS])
    exact, gold = asyncio.run(_search(service_url, probes, Weights(), use_indexes=False))
    _, gold_vectors = asyncio.run(_search(service_url, probes, vectors, use_indexes=False))
    print(f"{number:10}{'exact':>10}{'':9}{exact.p50:9.1f}{exact.p99:9.1f}{1:12.3f}{1:13.3f}", flush=True)
    started = time.perf_counter()
    LargeCubes(owner_url, threshold=1).update(lambda _: None)
    built = time.perf_counter() - started
    indexed, found = asyncio.run(_search(service_url, probes, Weights(), use_indexes=True))
    _, found_vectors = asyncio.run(_search(service_url, probes, vectors, use_indexes=True))
    print(
        f"{number:10}{'indexed':>10}{built:9.1f}{indexed.p50:9.1f}{indexed.p99:9.1f}"
        f"{_recall(found_vectors, gold_vectors, vectors):12.3f}{_recall(found, gold, Weights()):13.3f}",
        flush=True,
    )


def _probes(owner_url: str, cubes: Sequence[UUID], searches: int) -> list[tuple[UUID, Probe]]:
    with psycopg.connect(owner_url, autocommit=True) as connection:
        return Corpus(3).probes(connection, cubes, searches + _WARM_UP)


async def _search(
    service_url: str, probes: Sequence[tuple[UUID, Probe]], weights: Weights, *, use_indexes: bool
) -> tuple[_Times, list[Found]]:
    database = Database(service_url, pool_size=2)
    repository = RecallRepository(database, use_indexes=use_indexes)
    found, seconds = [], []
    for cube_id, probe in probes:
        started = time.perf_counter()
        found.append(
            await repository.search(
                _PROJECT,
                [SearchedCube(public_cube(_PROJECT).id), SearchedCube(cube_id)],
                frozenset(MemoryKind),
                vector=probe.vector,
                space=SPACE,
                terms=probe.terms,
                weights=weights,
            )
        )
        seconds.append(time.perf_counter() - started)
    await database.close()
    ordered = sorted(seconds[_WARM_UP:])
    return _Times(ordered[len(ordered) // 2] * 1000, ordered[int(len(ordered) * 0.99)] * 1000), found


def _recall(found: Sequence[Found], gold: Sequence[Found], weights: Weights) -> float:
    """The share of the ten best by an exact scan that are among the ten best."""
    shared = sum(len(_best(one, weights) & _best(right, weights)) for one, right in zip(found, gold, strict=True))
    return shared / sum(len(_best(right, weights)) for right in gold)


def _best(found: Found, weights: Weights) -> set[UUID]:
    scored = [
        (weights.vectors * (one.cosine or 0.0) + weights.words * one.lexical + one.around, one.id)
        for one in found.candidates
    ]
    return {id_ for _, id_ in sorted(scored, reverse=True)[:10]}


if __name__ == "__main__":
    main()
