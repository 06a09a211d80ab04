"""Runs the commands of the documents, so that no document tells what is not so.

A document's `sh` blocks run in order in one shell, in a folder that looks like a fresh clone, under a new HOME, beside
a `memcubed serve` of their own. A `json` or `text` block that follows is what the `sh` block before it printed.
`MEMCUBED_REFRESH_DOCS=1 pytest tests/docs` writes those blocks anew.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).parents[2]
BIN: Final = Path(sys.prefix, "bin")
ADDRESS: Final = "127.0.0.1:8000"
LINE: Final = 110
START_SECONDS: Final = 120
REFRESH: Final = bool(os.environ.get("MEMCUBED_REFRESH_DOCS"))

# How a command of the documents is run here, where it can't be run as it stands.
STAND_INS: Final = (
    # The service is up already, by the command that the Makefile has for it.
    (re.compile(r"make serve\b.*"), "make --dry-run serve > /dev/null"),
    # Installing takes minutes and is the installation that these tests run in; what it ends with is run.
    (re.compile(r"make demo\b.*"), "make --dry-run demo > /dev/null && .venv/bin/memcubed demo"),
    (re.compile(r"make (?P<target>[\w-]+).*"), r"make --dry-run \g<target> > /dev/null"),
    (re.compile(r"\S+ -m (pip install|venv) .*"), ":"),
    # tests/exchange/test_dump.py dumps and restores.
    (re.compile(r"pg_(dump|restore) .*"), ":"),
    # No Docker engine runs here; tests/docs/test_compose.py runs what these start.
    (re.compile(r"docker compose .*"), ":"),
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and where it stands (the lines of its fences, from 0)."""

    language: str
    text: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Step:
    """An `sh` block, with the block of its output when the document shows it."""

    commands: Block
    shown: Block | None
    printed: str = ""
    status: int = 0


def read_blocks(document: Path) -> list[Block]:
    blocks, opened, language = [], None, ""
    lines = document.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if opened is None:
            opened, language = number, line[3:].strip()
        else:
            blocks.append(Block(language, "\n".join(lines[opened + 1 : number]), opened, number))
            opened = None
    assert opened is None, f"{document.name}: the block that line {opened} opens has no end"
    return blocks


def read_steps(document: Path) -> list[Step]:
    blocks = read_blocks(document)
    steps = []
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.language == "sh":
            is_output = following is not None and following.language in {"json", "text"}
            steps.append(Step(block, following if is_output else None))
    return steps


@dataclass(frozen=True, slots=True)
class Serving:
    """A `memcubed serve` under a HOME of its own; `folder` looks like a fresh clone."""

    address: str
    folder: Path
    environment: dict[str, str]
    welcome: str

    def run(self, document: Path) -> list[Step]:
        steps = read_steps(document)
        marks = [f"--- {os.urandom(8).hex()}" for _ in steps]
        script = "".join(
            f"{self._runnable(step.commands.text)}\nprintf '%s %s\\n' '{mark}' $?\n"
            for step, mark in zip(steps, marks, strict=True)
        )
        shell = subprocess.run(
            ["bash"],  # noqa: S607 - whichever the machine has, as for a reader of the document
            input=script,
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        done, rest = [], shell.stdout
        for step, mark in zip(steps, marks, strict=True):
            printed, found, rest = rest.partition(f"{mark} ")
            assert found, f"{document.name}: the shell ended early:\n{printed}"
            status, _, rest = rest.partition("\n")
            done.append(replace(step, printed=printed.replace(self.address, ADDRESS), status=int(status)))
        return done

    def _runnable(self, commands: str) -> str:
        lines = []
        for line in commands.replace(ADDRESS, self.address).splitlines():
            for pattern, stand_in in STAND_INS:
                if pattern.fullmatch(line):
                    lines.append(pattern.sub(stand_in, line))
                    break
            else:
                lines.append(line)
        return "\n".join(lines)


def refresh(document: Path, steps: list[Step]) -> None:
    """Write what was printed into a document that has these steps."""
    lines = document.read_text(encoding="utf-8").splitlines()
    for step, place in reversed(list(zip(steps, read_steps(document), strict=True))):
        if place.shown is not None:
            printed = re.sub(r"(mc-[0-9a-f]{8}-)[\w-]{32}", r"\1…", step.printed.strip("\n"))
            text = readable(json.loads(printed)) if place.shown.language == "json" else printed
            lines[place.shown.first + 1 : place.shown.last] = text.splitlines()
    document.write_text("\n".join(lines) + "\n", encoding="utf-8")


def readable(value: object, indent: str = "", before: int = 0) -> str:
    """JSON, a line for what fits into one."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(indent) + before + len(flat) < LINE:
        return flat
    deeper = indent + "  "
    if isinstance(value, list):
        items = [readable(item, deeper) for item in value]
        opening, closing = "[]"
    else:
        names = {name: f"{json.dumps(name, ensure_ascii=False)}: " for name in value}
        items = [f"{shown}{readable(value[name], deeper, len(shown))}" for name, shown in names.items()]
        opening, closing = "{}"
    return f"{opening}\n{deeper}" + f",\n{deeper}".join(items) + f"\n{indent}{closing}"


def shape(value: object) -> object:
    """What is the same at every run: names, types, and the first object of each list."""
    match value:
        case dict():
            return {name: shape(item) for name, item in value.items()}
        case list():
            return [shape(item) for item in value[:1] if isinstance(item, dict)]
        case bool() | None:
            return value
        case int() | float():
            return "a number"
        case _:
            return "text"


def labels(text: str) -> set[str]:
    """What is the same in plain output: how each line begins, whatever numbers, keys and memories follow."""
    without_numbers = re.sub(r"mc-[0-9a-f]{8}(-([\w-]{32}|…))?", "KEY", text)
    without_numbers = re.sub(r"[0-9.]+", "0", without_numbers)
    found = (re.match(r"\s*[^:：\]（(]*[:：\]]", line) for line in without_numbers.splitlines())
    return {label.group() for label in found if label}


def check(step: Step) -> None:
    """The step succeeded, and printed what the document shows, but for what differs at every run."""
    assert step.status == 0, f"line {step.commands.first + 1} failed:\n{step.commands.text}\n{step.printed}"
    if step.shown is None:
        return
    if step.shown.language == "json":
        assert shape(json.loads(step.printed)) == shape(json.loads(step.shown.text)), step.commands.text
    else:
        assert labels(step.shown.text) <= labels(step.printed), f"{step.commands.text}\n{step.printed}"


@pytest.fixture
def serving(home: Path) -> Iterator[Serving]:
    with serve(home) as started:
        yield started


@pytest.fixture
def run_document(serving: Serving) -> Callable[..., None]:
    """Run a document's commands and check each; its twins have the same ones."""

    def run(name: str, *twins: str) -> None:
        steps = serving.run(REPOSITORY / name)
        assert steps, f"{name} shows no commands"
        if REFRESH:
            for document in (name, *twins):
                refresh(REPOSITORY / document, steps)
            return
        for step in steps:
            check(step)

    return run


@contextmanager
def serve(folder: Path) -> Iterator[Serving]:
    home = folder / "home"
    clone = folder / "clone"
    home.mkdir()
    clone.mkdir()
    for name in ("Makefile", "pyproject.toml", "examples", "docker-compose.yml", ".env.example"):
        (clone / name).symlink_to(REPOSITORY / name)
    (clone / ".venv").symlink_to(sys.prefix)
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    if "PYTHONPATH" in os.environ:  # of these tests, so that both run the same code
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    with (folder / "serve.out").open("wb") as output, (folder / "serve.err").open("wb") as errors:
        process = subprocess.Popen(
            [BIN / "memcubed", "serve", "--port", "0"], cwd=clone, env=environment, stdout=output, stderr=errors
        )
    try:
        address = wait_until_ready(process, folder / "serve.out", folder / "serve.err")
        yield Serving(address, clone, environment, (folder / "serve.out").read_text(encoding="utf-8"))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        finally:
            process.kill()
            subprocess.run([BIN / "memcubed", "stop"], cwd=clone, env=environment, check=True, capture_output=True)


def wait_until_ready(process: subprocess.Popen[bytes], output: Path, errors: Path) -> str:
    """The address of a server that answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        said = re.search(r"http://(127\.0\.0\.1:\d+)/", output.read_text(encoding="utf-8"))
        if said is not None:
            try:
                with urllib.request.urlopen(f"http://{said[1]}/health/ready", timeout=5) as answer:
                    if answer.status == 200:
                        return said[1]
            except OSError:
                pass
        time.sleep(0.1)
    raise AssertionError(f"memcubed serve does not answer:\n{errors.read_text(encoding='utf-8')}")
