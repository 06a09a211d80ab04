"""Which process serves a data directory: PostgreSQL's own `postmaster.pid`, and the locks around it.

Two lock files (flock) lie beside the data. `start.lock` is held by whoever starts or stops the server. `server.lock` is
handed to the server as an open descriptor: it stays locked exactly as long as the postmaster or one of its children
lives. So it tells, without trust in process numbers (which get reused, and differ between containers that share a
volume), that nothing uses the data any more.
"""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from memcubed.embedded.privileges import open_private

_READY_FIELDS = 8


@dataclass(frozen=True, slots=True)
class PidFile:
    """What `postmaster.pid` says; it may be about a process that is long gone."""

    pid: int
    port: int
    ready: bool
    stopping: bool = False


def find_pid_file(data: Path) -> PidFile | None:
    """Read `postmaster.pid`; None if there is none. A server that is only beginning to start has port 0."""
    try:
        lines = [line.strip() for line in (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()]
        return PidFile(
            # The number is negative for a server in single-user mode.
            pid=abs(int(lines[0])),
            port=int(lines[3]) if len(lines) > 3 and lines[3] else 0,  # noqa: PLR2004 - the format: miscadmin.h
            ready=len(lines) >= _READY_FIELDS and lines[7] == "ready",
            stopping=len(lines) >= _READY_FIELDS and lines[7] == "stopping",
        )
    except (FileNotFoundError, IndexError, ValueError):
        return None


def is_postmaster(pid: int, data: Path) -> bool:
    """Tell whether this process is a living server of this data directory, rather than one that got its number."""
    process = Path("/proc", str(pid))
    if Path("/proc/self/cwd").exists():
        try:
            # The server works inside its data directory; a process that has ended has no working directory.
            return (process / "cwd").samefile(data)
        except OSError:
            return False
    listing = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)  # noqa: S603, S607 - where there is no /proc: macOS, the BSDs
    return f"-D {data} " in listing.stdout


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the lock, waiting for it as long as it takes; yields the descriptor that holds it."""
    descriptor = open_private(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(path: Path) -> int | None:
    """Take the lock and return its descriptor, to be closed by the caller; None if someone else holds it."""
    descriptor = open_private(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def is_locked(path: Path) -> bool:
    """Tell whether someone holds the lock, without creating the file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
