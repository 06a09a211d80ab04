"""The `memcubed` command as a process of its own."""

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Self
from unittest.mock import patch

import httpx
import structlog

from memcubed.bootstrap import DatabaseUrls
from memcubed.cli import main
from tests.support.api import PATIENCE_SECONDS
from tests.support.settings import WIDE

COMMAND = (sys.executable, "-c", "from memcubed.cli import main; main()")
"""As the script that an installation makes, without needing one that is up to date."""


def environment(home: Path, **settings: object) -> dict[str, str]:
    """What a process gets: the given settings, and nothing of what this machine has set for memcubed."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("MEMCUBED_", "MEMOS_", "OPENAI_"))
    }
    given = {f"MEMCUBED_{name}".upper(): str(value) for name, value in {**WIDE, **settings}.items()}
    return {**kept, "MEMCUBED_HOME": str(home), **given}


def database_settings(urls: DatabaseUrls) -> dict[str, object]:
    return {"database_url": urls.service, "migration_database_url": urls.owner}


def run(*arguments: str, env: Mapping[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], env=env, cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def run_here(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in this process, which saves the second that imports take. It must not run a loop."""
    out, err = StringIO(), StringIO()
    root = logging.getLogger()
    before = structlog.get_config(), root.handlers, root.level
    try:
        with (
            patch.dict(os.environ, env, clear=True),
            patch.object(sys, "argv", ["memcubed", *arguments]),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    finally:
        structlog.configure(**before[0])
        root.handlers, root.level = before[1:]
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


class Process:
    """A command that runs until it is told to stop; its output goes to files."""

    def __init__(self, folder: Path, name: str, *arguments: str, env: Mapping[str, str]) -> None:
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen([*COMMAND, *arguments], env=env, cwd=folder, stdout=out, stderr=err)

    @property
    def output(self) -> str:
        return self._out.read_text(encoding="utf-8")

    @property
    def log(self) -> str:
        return self._err.read_text(encoding="utf-8")

    def said(self, pattern: str) -> re.Match[str]:
        """Wait until standard output holds this."""
        return self._wait(pattern, self._out)

    def logged(self, pattern: str) -> re.Match[str]:
        """Wait until standard error holds this."""
        return self._wait(pattern, self._err)

    def _wait(self, pattern: str, file: Path) -> re.Match[str]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := re.search(pattern, file.read_text(encoding="utf-8"), re.MULTILINE)) is None:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output}{self.log}"
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{self.output}{self.log}"
            time.sleep(0.05)
        return found

    def kill(self) -> None:
        """As the out-of-memory killer does."""
        self.process.kill()
        self.process.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and wait for it; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()


class Serve(Process):
    """`memcubed serve` on a free port."""

    def __init__(self, folder: Path, name: str, *arguments: str, env: Mapping[str, str]) -> None:
        super().__init__(folder, name, "serve", "--port", "0", *arguments, env=env)

    @property
    def url(self) -> str:
        return self.said(r"memcubed answers at (\S+) ").group(1)

    @property
    def root(self) -> str:
        return self.url.removesuffix("/api/openmem/v1")

    def ready(self) -> Self:
        """Wait until a request would succeed."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                if httpx.get(f"{self.root}/health/ready").status_code == 200:
                    return self
            except httpx.TransportError:
                pass
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)


@asynccontextmanager
async def serving(
    folder: Path, env: Mapping[str, str], *arguments: str, name: str = "serve"
) -> AsyncIterator[tuple[Serve, httpx.AsyncClient]]:
    """A ready `memcubed serve`, and its API; killed at the end if it still runs."""
    with Serve(folder, name, *arguments, env=env) as process:
        process.ready()
        async with httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_SECONDS) as http:
            yield process, http


async def new_key(env: Mapping[str, str], project: str = "default") -> str:
    made = await asyncio.to_thread(run_here, "key", "create", "--project", project, "--quiet", env=env)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def working(folder: Path, env: Mapping[str, str], *, name: str = "worker") -> Process:
    """A `memcubed worker`; killed at the end of its block if it still runs."""
    return Process(folder, name, "worker", env=env)
