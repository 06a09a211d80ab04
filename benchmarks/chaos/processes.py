"""The service's processes: started, watched, killed, and started again."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx
import psycopg

from benchmarks.chaos.model import Ledger
from memcubed import embedded
from memcubed.embedded import EmbeddedPostgres
from memcubed.http.app import BASE_PATH
from tests.support.process import COMMAND

STOP_SECONDS: Final = 90.0
"""The API gives requests 30 seconds and jobs 20; this is that and a slow machine."""
_READY_SECONDS: Final = 180.0
_WATCH_SECONDS: Final = 0.2
_STARTED: Final = "memcubed_started"
_TAIL_LINES: Final = 25


class Member:
    """One process of the service, under whichever number it runs now."""

    def __init__(self, name: str, arguments: tuple[str, ...], env: Mapping[str, str], logs: Path) -> None:
        self.name = name
        self._arguments = arguments
        self._env = env
        self._logs = logs
        self._starts = 0
        self.being_stopped = False
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What its newest process wrote."""
        return self._logs / f"{self.name}-{self._starts}.log"

    @property
    def has_started(self) -> bool:
        """Whether its newest process came to work."""
        return _STARTED in self.log.read_text(errors="replace")

    def start(self) -> None:
        """Start a process."""
        self._starts += 1
        self.being_stopped = False
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, *self._arguments], env=self._env, cwd=self._logs, stdout=log, stderr=subprocess.STDOUT
            )

    def tail(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])


class Fleet:
    """An API, workers and the bundled PostgreSQL, kept running until `shut_down`."""

    def __init__(self, home: Path, env: Mapping[str, str], ledger: Ledger, *, workers: int) -> None:
        self.home = home
        self.port = _free_port()
        self._ledger = ledger
        self._logs = home / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        self.env = {**env, "MEMCUBED_HOME": str(home), "PYTHONFAULTHANDLER": "1"}
        self.api = Member("api", ("serve", "--no-worker", "--port", str(self.port)), self.env, self._logs)
        self.workers = [Member(f"worker{index}", ("worker",), self.env, self._logs) for index in range(workers)]
        self._watching: asyncio.Task[None] | None = None
        self._stopping: set[asyncio.Task[None]] = set()

    @property
    def members(self) -> list[Member]:
        """All processes but PostgreSQL's."""
        return [self.api, *self.workers]

    async def start(self) -> str:
        """Start everything on an empty home; the first key."""
        self.api.start()
        key = None
        while key is None:
            await asyncio.sleep(_WATCH_SECONDS)
            if self.api.process is None or self.api.process.poll() is not None:
                raise SystemExit(f"memcubed did not start:\n{self.api.tail()}")
            key = re.search(r"^\s+(mc-\S+)$", self.api.log.read_text(), re.MULTILINE)
        for worker in self.workers:
            worker.start()
        self._watching = asyncio.create_task(self._watch())
        return key[1]

    @property
    def base_url(self) -> str:
        """Where the API answers."""
        return f"http://127.0.0.1:{self.port}{BASE_PATH}"

    async def ready(self) -> None:
        """Wait until a request would succeed."""
        deadline = time.monotonic() + _READY_SECONDS
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as http:
            while time.monotonic() < deadline:
                try:
                    if (await http.get("/health/ready")).is_success:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(_WATCH_SECONDS)
        self._violate(f"The API did not become ready within {_READY_SECONDS:g} s", self.api)

    async def shut_down(self) -> None:
        """Stop everything, each within its time and without a fault."""
        if self._watching is not None:
            self._watching.cancel()
        await asyncio.gather(*self._stopping)
        await asyncio.gather(*(self._ended(member) for member in self.members))
        if await asyncio.to_thread(embedded.find_running, self.home) is not None:
            self._ledger.violations.append("PostgreSQL still runs although every process of the service has ended.")

    async def abandon(self) -> None:
        """End whatever still runs, after a run that broke off."""
        if self._watching is not None:
            self._watching.cancel()
        for member in self.members:
            if self.kill(member) and member.process is not None:
                member.process.wait()
        await asyncio.to_thread(embedded.stop, self.home)

    def kill(self, member: Member) -> bool:
        """As the out-of-memory killer does; whether there was a process."""
        if member.process is None or member.process.poll() is not None:
            return False
        member.being_stopped = True
        member.process.kill()
        return True

    def stop(self, member: Member) -> bool:
        """Ask it to end, and see that it does; whether there was a process."""
        if member.process is None or member.process.poll() is not None or member.being_stopped:
            return False
        task = asyncio.create_task(self._ended(member))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
        return True

    async def _ended(self, member: Member) -> None:
        process = member.process
        if process is None or process.poll() is not None:
            return
        had_started = member.has_started
        member.being_stopped = True
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # its stacks go to the log
            await asyncio.to_thread(process.wait)
            self._violate(f"{member.name} did not end within {STOP_SECONDS:g} s of SIGTERM", member)
            return
        if had_started and process.returncode not in {0, -signal.SIGKILL}:
            self._violate(f"{member.name} ended with {process.returncode} after SIGTERM", member)

    def _violate(self, what: str, member: Member) -> None:
        self._ledger.violations.append(f"{what}; {member.log} ends:\n{member.tail()}")

    async def _watch(self) -> None:
        """Start again whatever ended, as a supervisor does."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            for member in self.members:
                if member.process is None or member.process.poll() is None:
                    continue
                text = member.log.read_text(errors="replace")
                if not member.being_stopped:
                    if _STARTED in text or "Traceback" in text:
                        self._violate(f"{member.name} ended by itself with {member.process.returncode}", member)
                    else:
                        self._ledger.notes[f"{member.name.rstrip('0123456789')}: a start was refused"] += 1
                        await asyncio.sleep(0.5)
                member.start()

    async def database(self) -> EmbeddedPostgres | None:
        """The bundled server, if it answers."""
        return await asyncio.to_thread(embedded.find_running, self.home)

    def strike_database(self, number: signal.Signals) -> bool:
        """Send PostgreSQL's postmaster a signal; whether there was one."""
        try:
            pid = int((self.home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
            os.kill(pid, number)
        except (FileNotFoundError, IndexError, ValueError, ProcessLookupError):
            return False
        return True

    async def strike_backend(self, number: signal.Signals) -> bool:
        """Send one of the service's backends a signal; whether there was one."""
        server = await self.database()
        if server is None:
            return False
        try:
            async with await psycopg.AsyncConnection.connect(server.admin_url, autocommit=True) as connection:
                cursor = await connection.execute(
                    "SELECT pid FROM pg_stat_activity WHERE usename = 'memcubed_service' "
                    "ORDER BY state = 'active' DESC, query_start DESC NULLS LAST LIMIT 1"
                )
                row = await cursor.fetchone()
                if row is None:
                    return False
                os.kill(row[0], number)
        except (psycopg.Error, ProcessLookupError):
            return False
        return True


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
