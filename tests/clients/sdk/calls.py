"""The official SDK at work: MemOSClient in a process of its own environment, called from tests."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.api import Json

REPOSITORY = Path(__file__).parents[3]
PYTHON = REPOSITORY / ".venv-clients" / "bin" / "python"
INSTALLED = REPOSITORY / ".venv-clients" / ".installed"
_LONGEST_LINE = 2**24


class SdkError(Exception):
    """What the SDK raised: the name of the exception's class, and what it says."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Given:
    """What a method gave: an object of the SDK's class `kind`, with the `shortcuts` that its properties are."""

    kind: str
    value: Any
    shortcuts: Json

    @property
    def data(self) -> Any:  # noqa: ANN401 - JSON
        """The data of an envelope that must be a success."""
        assert self.value["code"] == 0, self.value
        return self.value["data"]


class Sdk:
    """The process; clients of any key are made in it."""

    def __init__(self, process: asyncio.subprocess.Process, methods: list[str]) -> None:
        self._process = process
        self.methods = methods

    async def call(self, key: str, base_url: str, method: str, arguments: Json) -> Given:
        """Call a method of a new client. Raises SdkError when it raises."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        request = {"key": key, "base_url": base_url, "method": method, "arguments": arguments}
        stdin.write(json.dumps(request).encode() + b"\n")
        await stdin.drain()
        answer = json.loads(await stdout.readline())
        if "error" in answer:
            raise SdkError(answer["error"], answer["message"])
        return Given(**answer)


@asynccontextmanager
async def sdk_running(folder: Path) -> AsyncIterator[Sdk]:
    """The process until the end of the block; `folder` is where the SDK keeps its log."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MEMOS_", "PYTHON"))}
    process = await asyncio.create_subprocess_exec(
        PYTHON,
        Path(__file__).with_name("process.py"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**environment, "MEMOS_BASE_PATH": str(folder)},
        cwd=folder,
        limit=_LONGEST_LINE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Sdk(process, json.loads(await process.stdout.readline()))
    finally:
        process.stdin.close()
        await process.wait()
