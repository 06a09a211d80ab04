"""Both READMEs: every command works in a fresh clone under a fresh HOME, and prints what they show.

`make demo` and `make serve` are checked by `make --dry-run` and by the command that they end with, since the
installation before it is the one that these tests run in. The Chinese README is not run, for it shows the very same
commands and output. `docker compose` is for tests/docs/test_compose.py.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from memcubed.demo import CONVERSATION, QUERY

REPOSITORY = Path(__file__).parents[2]
TWINS = ("README.md", "README.zh.md")


def test_every_command_prints_what_the_readme_shows(run_document: Callable[..., None]) -> None:
    run_document(*TWINS)


def blocks(name: str) -> list[tuple[str, str]]:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    found = re.findall(r"^```(sh|ini|json|text)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(language, re.sub(r"\s+# .*", "", commands)) for language, commands in found]


def test_the_twins_show_the_same_commands_and_output() -> None:
    assert blocks("README.md") == blocks("README.zh.md")


def sections(name: str) -> int:
    return len(re.findall(r"^## ", (REPOSITORY / name).read_text(encoding="utf-8"), re.MULTILINE))


def test_the_twins_have_the_same_sections() -> None:
    assert sections("README.md") == sections("README.zh.md")


@pytest.mark.parametrize("name", [*TWINS, "docs/api.md", "docs/operations.md"])
def test_links_lead_to_files_and_headings_that_exist(name: str) -> None:
    document = REPOSITORY / name
    for target, heading in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", document.read_text("utf-8")):
        linked = document.parent / target if target else document
        assert linked.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}
            assert heading in anchors, f"{name}: #{heading}"


@pytest.mark.parametrize("name", TWINS)
def test_the_demonstration_is_shown_whole(name: str) -> None:
    shown = (REPOSITORY / name).read_text(encoding="utf-8")
    for line in (*(content for _, content in CONVERSATION), QUERY):
        assert line in shown
