import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from memcubed.embedded import EmbeddedPostgres, find_running, is_stopping, start, stop
from memcubed.errors import ConfigurationError

_START = """
import os, sys
from pathlib import Path
from memcubed.embedded import cluster, start
if len(sys.argv) > 2:
    os.setgroups([]); os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[2]))
server = start(Path(sys.argv[1]))
sys.stdout.write(f"{server.pid} {os.stat(server.data_dir).st_uid}")
sys.stdout.flush()
"""


def _spawn_start(home: Path, *arguments: str, then: str = "") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _START + then, str(home), *arguments],
        env=dict(os.environ) | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def _session(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, connect_timeout=5) as session:
        yield session


def _write_row(server: EmbeddedPostgres, text: str) -> None:
    with _session(server.admin_url) as session:
        session.execute("CREATE TABLE IF NOT EXISTS kept (text text PRIMARY KEY)")
        session.execute("INSERT INTO kept VALUES (%s)", [text])


def _rows(server: EmbeddedPostgres) -> list[str]:
    with _session(server.admin_url) as session:
        return [row[0] for row in session.execute("SELECT text FROM kept ORDER BY text")]


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_first_start_gives_a_private_durable_utf8_server(empty_home: Path) -> None:
    assert find_running(empty_home) is None
    assert stop(empty_home) is False

    server = start(empty_home)

    assert server.data_dir == empty_home / "postgres" / "data"
    with _session(server.admin_url) as session:
        settings = dict(session.execute("SELECT name, setting FROM pg_settings").fetchall())
    with _session(server.service_url) as session:
        assert session.execute("SELECT '[1,2]'::halfvec(2) <=> '[1,2]'").fetchone() == (0.0,)
        assert session.execute("SELECT lower('ÄÖ')").fetchone() == ("äö",)
    assert settings["listen_addresses"] == "127.0.0.1"
    assert settings["unix_socket_directories"] == ""
    assert settings["fsync"] == settings["full_page_writes"] == settings["synchronous_commit"] == "on"
    assert settings["server_encoding"] == "UTF8"
    assert settings["jit"] == "off"
    assert settings["max_connections"] == "100"
    state = empty_home / "postgres" / "connection.json"
    assert state.stat().st_mode & 0o777 == 0o600
    content = json.loads(state.read_text())
    assert (content["service_url"], content["pid"]) == (server.service_url, server.pid)
    assert content["service_password"] not in repr(server)


def test_the_server_is_out_of_the_terminals_and_of_roots_reach(home: Path) -> None:
    server = start(home)

    assert os.getsid(server.pid) == server.pid
    if Path("/proc").exists():
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        outputs = [Path(f"/proc/{server.pid}/fd/{number}").resolve().name for number in (0, 1, 2)]
        assert outputs == ["null", "server.log", "server.log"]


def test_passwords_are_checked(home: Path) -> None:
    url = re.sub(r":[^:@]+@", ":wrong@", start(home).service_url)

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url, connect_timeout=5)


def test_a_second_start_takes_the_server_up(home: Path) -> None:
    server = start(home)

    assert start(home) == server
    assert find_running(home) == server


def test_data_survives_stop_and_start(stopped_home: Path) -> None:
    first = start(stopped_home)
    _write_row(first, "tea")

    assert stop(stopped_home) is True
    assert stop(stopped_home) is False
    assert find_running(stopped_home) is None
    second = start(stopped_home)

    assert second.pid != first.pid
    assert second.service_url == first.service_url
    assert "tea" in _rows(second)


def test_a_stop_ends_the_sessions_of_others(home: Path) -> None:
    with closing(psycopg.connect(start(home).service_url)) as session:
        assert stop(home) is True
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")


def test_two_processes_at_once_get_the_same_server(empty_home: Path) -> None:
    processes = [_spawn_start(empty_home) for _ in range(2)]

    outputs = {process.communicate(timeout=60)[0] for process in processes}

    assert [process.returncode for process in processes] == [0, 0]
    assert len(outputs) == 1


def test_the_server_outlives_a_kill_of_who_started_it(stopped_home: Path) -> None:
    process = _spawn_start(stopped_home, then="import time; time.sleep(60)")
    _wait_until(lambda: find_running(stopped_home) is not None)
    server = find_running(stopped_home)
    process.kill()
    process.communicate()

    assert server is not None
    assert start(stopped_home) == server


def test_a_kill_of_the_server_loses_nothing(home: Path) -> None:
    server = start(home)
    _write_row(server, "committed")
    os.kill(server.pid, signal.SIGKILL)

    recovered = start(home)

    assert recovered.pid != server.pid
    assert "committed" in _rows(recovered)


def test_a_server_that_waits_for_its_clients_to_end_is_replaced(home: Path) -> None:
    first = start(home)
    _write_row(first, "before the end")
    with psycopg.connect(first.admin_url) as lingering:
        assert not is_stopping(home)
        os.kill(first.pid, signal.SIGTERM)  # which lets clients stay as long as they like, and takes no new ones
        _wait_until(lambda: is_stopping(home))
        second = start(home)
        assert second.pid != first.pid
        assert "before the end" in _rows(second)
        with pytest.raises(psycopg.OperationalError):
            lingering.execute("SELECT 1")
    assert not is_stopping(home)


def test_a_reused_process_number_is_left_alone(stopped_home: Path) -> None:
    server = start(stopped_home)
    os.kill(server.pid, signal.SIGKILL)
    owner = server.data_dir.stat().st_uid if os.geteuid() == 0 else None
    # PostgreSQL only mistakes a process of its own account for a server.
    with subprocess.Popen(["sleep", "60"], user=owner) as stranger:  # noqa: S607
        pid_file = server.data_dir / "postmaster.pid"
        pid_file.write_text(pid_file.read_text().replace(str(server.pid), str(stranger.pid), 1))
        state = stopped_home / "postgres" / "connection.json"
        state.write_text(state.read_text().replace(f'"pid": {server.pid}', f'"pid": {stranger.pid}'))

        _wait_until(lambda: find_running(stopped_home) is None)
        assert stop(stopped_home) is False
        assert start(stopped_home).pid != stranger.pid
        assert stranger.poll() is None
        stranger.kill()


def test_an_empty_postmaster_pid_is_cleared(stopped_home: Path) -> None:
    (stopped_home / "postgres" / "data" / "postmaster.pid").touch()

    assert start(stopped_home) == find_running(stopped_home)


def test_an_interrupted_creation_does_not_poison_the_next(empty_home: Path) -> None:
    folder = empty_home / "postgres"
    process = _spawn_start(empty_home)
    _wait_until(lambda: any(folder.glob("unfinished-*/base")))
    process.kill()
    process.communicate()
    assert not (folder / "data").exists()
    half = folder / "unfinished-half"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")

    server = start(empty_home)

    assert find_running(empty_home) == server
    assert not list(folder.glob("unfinished-*"))


def test_a_server_whose_slots_are_used_up_is_still_found(home: Path) -> None:
    server = start(home)
    with ExitStack() as sessions:
        with pytest.raises(psycopg.OperationalError, match="remaining connection slots"):  # noqa: PT012
            for _ in range(101):
                sessions.enter_context(closing(psycopg.connect(server.service_url)))

        assert find_running(home) == server
        assert start(home) == server


def test_a_port_taken_by_another_is_changed(stopped_home: Path) -> None:
    port = json.loads((stopped_home / "postgres" / "connection.json").read_text())["port"]
    with closing(socket.socket()) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()

        server = start(stopped_home)

        assert f":{port}/" not in server.service_url
        assert find_running(stopped_home) == server


@pytest.mark.parametrize(("damage", "running"), [("", True), ("{", False)])
def test_lost_passwords_are_replaced(stopped_home: Path, damage: str, *, running: bool) -> None:
    _write_row(start(stopped_home), f"kept {damage}")
    if not running:
        stop(stopped_home)
    state = stopped_home / "postgres" / "connection.json"
    if damage:
        state.write_text(damage)
    else:
        state.unlink()
    assert find_running(stopped_home) is None

    server = start(stopped_home)

    assert f"kept {damage}" in _rows(server)
    assert find_running(stopped_home) == server


def test_the_service_role_has_no_power(home: Path) -> None:
    with _session(start(home).service_url) as session:
        session.autocommit = True
        roles = "SELECT current_user, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles"
        assert session.execute(f"{roles} WHERE rolname = current_user").fetchone() == (
            "memcubed_service",
            *[False] * 4,
        )
        for statement in (
            "DROP EXTENSION vector",
            "CREATE TABLE own (id int)",
            "CREATE SCHEMA own",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "ALTER ROLE memcubed_service BYPASSRLS",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)


def test_powers_given_to_the_service_role_are_taken_back_at_the_next_launch(home: Path) -> None:
    with _session(start(home).admin_url) as session:
        session.execute("ALTER ROLE memcubed_service SUPERUSER BYPASSRLS")
    stop(home)

    with _session(start(home).service_url) as session:
        row = session.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user").fetchone()

    assert row == (False, False)


def test_an_extension_that_was_dropped_comes_back_by_start_and_not_by_the_service(home: Path) -> None:
    server = start(home)
    with psycopg.connect(server.admin_url, autocommit=True) as session:
        session.execute("DROP EXTENSION vector")
    with _session(server.service_url) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("CREATE EXTENSION vector")

    assert start(home) == server

    with _session(server.service_url) as session:
        assert session.execute("SELECT '[1]'::vector").fetchone() == ("[1]",)


def test_the_log_holds_no_content(home: Path) -> None:
    server = start(home)
    _write_row(server, "a secret wish")

    with pytest.raises(psycopg.errors.UniqueViolation):
        _write_row(server, "a secret wish")

    log = (home / "postgres" / "server.log").read_text()
    assert "duplicate key" in log
    assert "secret wish" not in log


def test_a_server_that_cannot_start_says_why(stopped_home: Path) -> None:
    settings = stopped_home / "postgres" / "data" / "postgresql.auto.conf"
    before = settings.read_text()
    settings.write_text("no_such_setting = 1\n")

    with pytest.raises(ConfigurationError, match="no_such_setting"):
        start(stopped_home)

    settings.write_text(before)
    assert start(stopped_home) == find_running(stopped_home)


def test_a_home_that_cannot_be_written_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="MEMCUBED_DATABASE_URL"):
        start(tmp_path / "file")


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user; else all tests run as an ordinary one"
)
def test_an_ordinary_user_and_then_root_serve_the_same_home() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.chown(home, 65534, 65534)
        arguments = ["65534", "65534"]
        assert _spawn_start(home, *arguments).communicate(timeout=60)[0].split()[1] == "65534"
        stop(home)
        _write_row(start(home), "by root")
        stop(home)
        # What root has touched in between is still the user's.
        assert _spawn_start(home, *arguments).communicate(timeout=60)[0].split()[1] == "65534"
        server = find_running(home)
        assert server is not None
        assert _rows(server) == ["by root"]
        stop(home)
