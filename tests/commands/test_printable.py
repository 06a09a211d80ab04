"""What users of the API chose can't write over an operator's terminal."""

from pathlib import Path

import pytest

from memcubed.bootstrap import DatabaseUrls
from memcubed.commands.printable import printable, printable_lines
from tests.conftest import StartService
from tests.support.databases import execute
from tests.support.process import database_settings, environment, run

EVIL = "a\x1b[2Jb\rc\u202ed"
SHOWN = r"a\x1b[2Jb\rc\u202ed"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("user 王芳 🍣", "user 王芳 🍣"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("ada\nuser bob", r"ada\nuser bob"),
        ("a\u202eb", r"a\u202eb"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_reasons_keep_their_lines() -> None:
    assert printable_lines("it failed:\n\x1b[2Jwhy") == "it failed:\n\\x1b[2Jwhy"


async def test_every_command_escapes_what_is_stored(
    start: StartService, database: DatabaseUrls, tmp_path: Path
) -> None:
    env = environment(tmp_path, **database_settings(database))
    async with start(urls=database, worker=False) as api:
        client = await api.client(EVIL)
        base = {"knowledgebase_name": EVIL, "knowledgebase_description": "-"}
        await client.post("/create/knowledgebase", base)
        assert (await client.add("I keep bees.", user=EVIL))["status"] == "running"
    execute(database, "UPDATE task_shares SET waits = 1, last_error = E'no budget\\r\\x1B[2J'")
    execute(database, "UPDATE api_keys SET name = E'ci\\r\\x1B[2J'")
    for arguments, told in (
        (("doctor",), (SHOWN, r"because: no budget\r\x1b[2J")),
        (("task", "list", "--project", EVIL), (f"user {SHOWN}",)),
        (("key", "list", "--project", EVIL), (r"ci\r\x1b[2J",)),
        (("knowledgebase", "list"), (SHOWN,)),
        (("export", "--project", EVIL + "?"), (SHOWN + "?",)),
    ):
        done = run(*arguments, env=env)
        said = done.stdout + done.stderr
        assert all(words in said for words in told), said
        assert not {"\x1b", "\r", "\u202e"} & set(said), said
