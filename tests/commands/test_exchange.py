"""`memcubed export` and `memcubed import`, as the operator runs them."""

import os
from pathlib import Path

from memcubed.bootstrap import DatabaseUrls
from tests.conftest import StartService
from tests.support.databases import query
from tests.support.process import database_settings, environment, run


async def test_a_project_moves_by_a_file(start: StartService, database: DatabaseUrls, tmp_path: Path) -> None:
    env = environment(tmp_path, **database_settings(database))
    async with start(urls=database) as api:
        client = await api.client("default")
        await client.add("I keep bees.", user="bob", async_mode=False)
        await client.add("I keep goats.", user="ada", async_mode=False)
        file = tmp_path / "project.jsonl"
        exported = run("export", str(file), env=env)
        assert exported.returncode == 0, exported.stderr
        assert f"{len(file.read_text(encoding='utf-8').splitlines()) - 2} rows exported." in exported.stderr
        before = file.read_bytes()
        again = run("export", str(file), env=env)
        assert again.returncode == 1
        assert f"{file} is there already" in again.stderr
        assert file.read_bytes() == before
        assert run("export", str(file), "--force", "--user", "nobody", env=env).returncode == 1
        assert file.read_bytes() == before, "what fails leaves the file as it was"
        assert run("export", str(file), "--force", env=env).returncode == 0
        assert not any(name.endswith(".part") for name in os.listdir(tmp_path))  # noqa: PTH208 - it is quick
        imported = run("import", str(file), "--project", "copy", env=env)
        assert imported.returncode == 0, imported.stderr
        assert "2 messages" in imported.stdout.splitlines()
        copy = await api.client("copy")
        assert any("bees" in value for value in await copy.values("bees", user="bob"))

        alone = run("export", "--user", "ada", env=env)
        assert "goats" in alone.stdout
        assert "bees" not in alone.stdout


def test_what_cannot_be_done_is_said_plainly(database: DatabaseUrls, tmp_path: Path) -> None:
    env = environment(tmp_path, **database_settings(database))
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    missing, wrong = tmp_path / "missing.jsonl", tmp_path / "notes.txt"
    for arguments, told in (
        (("export",), "There is no project named 'default'."),
        (("import", str(missing)), f"There is no file {missing}."),
        (("import", str(wrong)), "Line 1 is not JSON"),
        (("import", str(wrong), "--timezone", "Mars"), "timezone: 'Mars' is no IANA time zone."),
    ):
        answer = run(*arguments, env=env)
        assert answer.returncode == 1
        assert answer.stderr.startswith("memcubed: ")
        assert told in answer.stderr
    assert query(database.owner, "SELECT name FROM projects") == [], "a refused import makes no project"
