"""A memcubed to measure: one that runs already, or a clean one that is started and thrown away."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 30
_ANSWERS_AT: Final = re.compile(r"answers at (\S+)")
# Limits that are counted, as by default, but that a benchmark does not meet.
_WIDE_LIMITS: Final = {
    "MEMCUBED_REQUESTS_PER_SECOND": "100000",
    "MEMCUBED_REQUEST_BURST": "100000",
    "MEMCUBED_TOKENS_PER_MINUTE": "1000000000",
}
_KEY: Final = re.compile(r"^\s+(mc-\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """Where it answers (the contract's base URL), a key, and the process when it was started here."""

    url: str
    key: str
    pid: int | None = None
    home: Path | None = None

    @property
    def root(self) -> str:
        """The address without the contract's base path."""
        return self.url.split("/api/")[0]

    def client(self) -> httpx.AsyncClient:
        """A client with the key."""
        return httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Token {self.key}"}, timeout=120)


@contextmanager
def clean_server(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A `memcubed serve` on a free port with an empty home, stopped and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="memcubed-bench-") as home:
        output = Path(home) / "output"
        settings = {
            "MEMCUBED_HOME": f"{home}/home",
            "MEMCUBED_LOG_LEVEL": "warning",
            **_WIDE_LIMITS,
            **(environment or {}),
        }
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-c", "from memcubed.cli import main; main()", "serve", "--port", "0", *arguments],
                env={**os.environ, **settings},
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        try:
            yield _wait_until_ready(process, output, Path(settings["MEMCUBED_HOME"]))
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)


def _wait_until_ready(process: subprocess.Popen[bytes], output: Path, home: Path) -> Server:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        text = output.read_text()
        url, key = _ANSWERS_AT.search(text), _KEY.search(text)
        if url and key:
            server = Server(url[1], key[1], process.pid, home)
            try:
                if httpx.get(f"{server.root}/health/ready").is_success:
                    return server
            except httpx.TransportError:
                pass
        time.sleep(0.1)
    raise SystemExit(f"memcubed did not start:\n{output.read_text()}")
