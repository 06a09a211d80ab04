"""The life of one cluster: create, launch, take up, stop. The contract is in the package's docstring."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import psycopg

from memcubed.embedded import EmbeddedPostgres
from memcubed.embedded.binaries import Binaries, find_binaries
from memcubed.embedded.connection import ADMIN_ROLE, HOST, Connection, sync_folder
from memcubed.embedded.postmaster import find_pid_file, is_locked, is_postmaster, locked, try_lock
from memcubed.embedded.privileges import Account, account_for, data_argument, open_private, spawn
from memcubed.embedded.provision import answers_admin, is_provisioned, provision
from memcubed.errors import ConfigurationError, ServiceUnavailableError

_START_SECONDS = 120.0  # a recovery after a crash replays at most max_wal_size (1 GB)
_STOP_SECONDS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 15.0))  # fast, then immediate: the next start recovers
_POLL_SECONDS = 0.01
_PORT_ATTEMPTS = 3
_LOG_BYTES = 16 * 1024 * 1024
_LOG_TAIL_LINES = 8

# Written to postgresql.conf once, where an operator may change them.
_INITIAL_SETTINGS = (
    "shared_buffers=128MB",
    "max_connections=100",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
)
# Given at every launch. The log must never hold the text of a message: no statements, no values of a violated key.
_FIXED_SETTINGS = (
    f"listen_addresses={HOST}",
    "unix_socket_directories=",
    "fsync=on",
    "full_page_writes=on",
    "logging_collector=off",
    "log_destination=stderr",
    "log_error_verbosity=terse",
    "log_min_error_statement=panic",
    "log_parameter_max_length_on_error=0",
)


@dataclass(frozen=True, slots=True)
class _Layout:
    """The files of one home."""

    folder: Path

    @classmethod
    def of(cls, home: Path) -> "_Layout":
        return cls(home.expanduser().resolve() / "postgres")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def connection(self) -> Path:
        return self.folder / "connection.json"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def start_lock(self) -> Path:
        return self.folder / "start.lock"

    @property
    def server_lock(self) -> Path:
        return self.folder / "server.lock"


def start(home: Path) -> EmbeddedPostgres:
    """See `memcubed.embedded.start`."""
    layout = _Layout.of(home)
    with _usable(layout):
        layout.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(layout.start_lock) as start_lock:
            account = account_for(layout.data)
            deadline = time.monotonic() + _START_SECONDS
            while (server_lock := try_lock(layout.server_lock)) is None:
                # A server lives; it may be starting, recovering, or (its postmaster killed) about to end.
                running = _take_up(layout)
                if running is not None:
                    return running
                _wait(deadline, layout)
            try:
                return _launch(layout, account, start_lock, server_lock, deadline)
            finally:
                os.close(server_lock)  # the server has its own copy


def stop(home: Path) -> bool:
    """See `memcubed.embedded.stop`."""
    layout = _Layout.of(home)
    with _usable(layout):
        if not layout.folder.is_dir():
            return False
        with locked(layout.start_lock):
            found = False
            for number, patience in _STOP_SECONDS:
                signalled = False
                deadline = time.monotonic() + patience
                while time.monotonic() < deadline:
                    if not is_locked(layout.server_lock):
                        return found
                    if not signalled:
                        signalled = _signal(layout, number)
                        found = found or signalled
                    time.sleep(_POLL_SECONDS)
    raise ServiceUnavailableError(f"The bundled PostgreSQL doesn't stop. {_hint(layout)}")


def find_running(home: Path) -> EmbeddedPostgres | None:
    """See `memcubed.embedded.find_running`."""
    layout = _Layout.of(home)
    with _usable(layout):
        if not is_locked(layout.server_lock):
            return None
        connection = _find_listening(layout)
        if connection is None:
            return None
        # The file names this server only once everything is in place; the service may just have used up its slots.
        is_recorded = connection == Connection.find(layout.connection)
        if is_provisioned(connection) or (is_recorded and answers_admin(connection)):
            return _embedded(layout, connection)
        return None


def exists(home: Path) -> bool:
    """See `memcubed.embedded.exists`."""
    layout = _Layout.of(home)
    with _usable(layout), suppress(FileNotFoundError):
        layout.connection.stat()  # Path.exists() would not tell what can't be read from what is not there
        return True
    return False


def is_stopping(home: Path) -> bool:
    """See `memcubed.embedded.is_stopping`."""
    layout = _Layout.of(home)
    with _usable(layout):
        server = find_pid_file(layout.data)
        return server is not None and server.stopping and is_locked(layout.server_lock)


def _find_listening(layout: _Layout) -> Connection | None:
    """Return how to reach a server that says it's ready; None if none does or if its passwords are lost."""
    connection = Connection.find(layout.connection)
    server = find_pid_file(layout.data)
    if connection is None or server is None or not server.ready:
        return None
    return replace(connection, port=server.port, pid=server.pid)


def _take_up(layout: _Layout) -> EmbeddedPostgres | None:
    """Return the living server if it answers; None if that may change soon."""
    if Connection.find(layout.connection) is None:
        # Its passwords are lost: end it, then set new ones.
        _signal(layout, signal.SIGINT)
        return None
    if is_stopping(layout.folder.parent):
        # Asked to end, it waits for its clients as long as they stay, and refuses new ones: end it, then start anew.
        _signal(layout, signal.SIGINT)
        return None
    connection = _find_listening(layout)
    if connection is None:
        return None
    if not is_provisioned(connection):
        if not answers_admin(connection):
            return None
        _provision(layout, connection)
    if connection != Connection.find(layout.connection):
        connection.save(layout.connection)
    return _embedded(layout, connection)


def _launch(layout: _Layout, account: Account, start_lock: int, server_lock: int, deadline: float) -> EmbeddedPostgres:
    binaries = find_binaries(account, _major(layout.data))
    connection = Connection.find(layout.connection)
    is_new = _major(layout.data) is None
    if connection is None:
        connection = Connection.generate()
        if not is_new:
            _reset_password(layout, account, binaries, server_lock, connection)
        # Before the cluster exists: it never has a password that isn't written down.
        connection.save(layout.connection)
    if is_new:
        _create(layout, account, binaries, start_lock, connection)
    for attempt in range(_PORT_ATTEMPTS):
        # Another process may take the port between our look and the server's.
        connection = replace(connection, port=_free_port(connection.port if attempt == 0 else 0))
        process = _spawn_server(layout, account, binaries, server_lock, connection.port)
        if _becomes_ready(process, layout, deadline):
            connection = replace(connection, pid=process.pid)
            _provision(layout, connection)
            connection.save(layout.connection)
            return _embedded(layout, connection)
    raise ConfigurationError(f"The bundled PostgreSQL doesn't start. {_hint(layout)}")


def _create(layout: _Layout, account: Account, binaries: Binaries, start_lock: int, connection: Connection) -> None:
    """Run initdb in a folder of its own, which gets its name when it is complete."""
    for unfinished in layout.folder.glob("unfinished-*"):
        shutil.rmtree(unfinished)
    folder = Path(tempfile.mkdtemp(dir=layout.folder, prefix="unfinished-"))
    command: list[str | Path] = [
        binaries.initdb,
        f"--pgdata={data_argument(account, folder)}",
        f"--username={ADMIN_ROLE}",
        "--pwfile=/dev/stdin",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        *(f"--set={setting}" for setting in _INITIAL_SETTINGS),
    ]
    # A file without a name, as the account that runs initdb must be able to open it again through /dev/stdin.
    with tempfile.TemporaryFile() as password, _output(layout) as output:
        password.write(f"{connection.admin_password}\n".encode())
        password.seek(0)
        if account.demoted:
            os.chown(folder, account.uid, account.gid)
            os.fchown(password.fileno(), account.uid, account.gid)
        # It inherits the lock: should we be killed, the next start waits until initdb has ended as well.
        process = spawn(command, account, folder, stdin=password, output=output, inherit=start_lock)
        if process.wait() != 0:
            shutil.rmtree(folder, ignore_errors=True)
            raise ConfigurationError(f"The bundled PostgreSQL can't create its data directory. {_hint(layout)}")
    folder.rename(layout.data)
    sync_folder(layout.folder)


def _reset_password(
    layout: _Layout, account: Account, binaries: Binaries, server_lock: int, connection: Connection
) -> None:
    """Give the superuser a new password, without a server: for data whose `connection.json` is lost."""
    with tempfile.TemporaryFile() as statements, _output(layout) as output:
        statements.write(f"ALTER ROLE {ADMIN_ROLE} PASSWORD '{connection.admin_password}'\n".encode())
        statements.seek(0)
        options = _options(_FIXED_SETTINGS)
        process = spawn(
            [binaries.postgres, "--single", "-D", data_argument(account, layout.data), *options, "postgres"],
            account,
            layout.data,
            stdin=statements,
            output=output,
            inherit=server_lock,
            environment=_stale_pid(layout),
        )
        if process.wait() != 0:
            raise ConfigurationError(
                f"{layout.connection} is missing, and no new password could be set. {_hint(layout)}"
            )


def _spawn_server(
    layout: _Layout, account: Account, binaries: Binaries, server_lock: int, port: int
) -> subprocess.Popen[bytes]:
    options = _options((*_FIXED_SETTINGS, f"port={port}"))
    with _output(layout) as output:
        process = spawn(
            [binaries.postgres, "-D", data_argument(account, layout.data), *options],
            account,
            layout.data,
            output=output,
            inherit=server_lock,
            environment=_stale_pid(layout),
        )
    # Without it a server that ends before us would stay as a zombie.
    threading.Thread(target=process.wait, name="embedded-postgres", daemon=True).start()
    return process


def _stale_pid(layout: _Layout) -> dict[str, str]:
    """Return the environment that makes PostgreSQL ignore the process number in a `postmaster.pid` left behind.

    Only for a caller who holds the server lock: it knows that whoever has that number now is no server of this data.
    PostgreSQL would ask kill(2), and refuse to start if the number was reused by a process of its own account. The
    variable is what pg_ctl tells it of its grandparent, another number that can't be a server's (CreateLockFile in
    miscinit.c). Its check for shared memory still in use, by the same file, stays in force.
    """
    stale = find_pid_file(layout.data)
    if stale is not None:
        return {"PG_GRANDPARENT_PID": str(stale.pid)}
    # PostgreSQL refuses an empty file as well, which a crash at the wrong moment leaves.
    (layout.data / "postmaster.pid").unlink(missing_ok=True)
    return {}


def _becomes_ready(process: subprocess.Popen[bytes], layout: _Layout, deadline: float) -> bool:
    """Wait for a server just spawned; False if it ended."""
    while process.poll() is None:
        server = find_pid_file(layout.data)
        if server is not None and server.pid == process.pid and server.ready:
            return True
        _wait(deadline, layout)
    return False


def _provision(layout: _Layout, connection: Connection) -> None:
    try:
        provision(connection)
    except psycopg.Error as error:
        raise ServiceUnavailableError(f"The bundled PostgreSQL started but fails. {_hint(layout)}") from error


def _signal(layout: _Layout, number: signal.Signals) -> bool:
    """Send a signal to the living server, if it can be found; return whether it was sent."""
    server = find_pid_file(layout.data)
    if server is None or not is_postmaster(server.pid, layout.data):
        return False
    try:
        os.kill(server.pid, number)
    except ProcessLookupError:
        return False
    return True


def _wait(deadline: float, layout: _Layout) -> None:
    if time.monotonic() > deadline:
        raise ServiceUnavailableError(
            "The bundled PostgreSQL doesn't answer. It may be recovering, or run in another container that shares "
            f"this home. {_hint(layout)}"
        )
    time.sleep(_POLL_SECONDS)


def _embedded(layout: _Layout, connection: Connection) -> EmbeddedPostgres:
    return EmbeddedPostgres(connection.admin_url, connection.service_url, layout.data, connection.pid)


def _options(settings: tuple[str, ...]) -> Iterator[str]:
    for setting in settings:
        yield from ("-c", setting)


def _major(data: Path) -> int | None:
    """Return the major version that wrote the data; None if there is none yet."""
    try:
        return int((data / "PG_VERSION").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _free_port(preferred: int) -> int:
    """Return a free port, the preferred one (0: none) if it is free."""
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, preferred))
        except OSError:
            listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


@contextmanager
def _output(layout: _Layout) -> Iterator[BinaryIO]:
    """Open the log for appending, putting a large one aside first (nobody writes to it: no server lives)."""
    if layout.log.exists() and layout.log.stat().st_size > _LOG_BYTES:
        layout.log.replace(layout.log.with_suffix(".log.1"))
    with os.fdopen(open_private(layout.log, os.O_WRONLY | os.O_APPEND), "wb") as file:
        yield file


@contextmanager
def _usable(layout: _Layout) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"The bundled PostgreSQL can't work in {layout.folder} ({error}): run memcubed as the user that owns it, "
            "set another MEMCUBED_HOME, or set MEMCUBED_DATABASE_URL to a PostgreSQL of your own."
        ) from error


def _hint(layout: _Layout) -> str:
    """Say where to look, with the log's last lines."""
    try:
        tail = layout.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    except OSError:
        tail = []
    return "\n".join([f"See {layout.log}, which ends:" if tail else f"See {layout.log}.", *tail])
