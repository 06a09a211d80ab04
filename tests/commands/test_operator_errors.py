"""What keeps a command from its work is said in a line or two, with what to do about it."""

import re
import socket
from collections.abc import Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from fastapi import FastAPI
from psycopg import sql
from starlette.types import Message

from memcubed.bootstrap import DatabaseUrls
from memcubed.errors import ServiceUnavailableError
from memcubed.http.failures import PlainStart
from tests.support.process import database_settings, environment, run, run_here, working

COMMANDS = (("serve", "--port", "0"), ("worker",), ("migrate",), ("doctor",), ("key", "list"), ("export",))
URL = "postgresql://memcubed:secret-word@127.0.0.1:{}/memcubed"


def told(*arguments: str, env: Mapping[str, str]) -> str:
    done = run_here(*arguments, env=env)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("memcubed: ")
    assert len(done.stderr.splitlines()) <= 2
    assert "secret-word" not in done.stderr
    return done.stderr


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_that_is_not_there(tmp_path: Path, closed_port: int, command: tuple[str, ...]) -> None:
    said = told(*command, env=environment(tmp_path, database_url=URL.format(closed_port)))
    assert "refused" in said
    assert "Check that PostgreSQL runs there" in said
    assert "MEMCUBED_DATABASE_URL" in said


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_wrong_password(tmp_path: Path, database: DatabaseUrls, command: tuple[str, ...]) -> None:
    wrong = re.sub(r":[^:@/]+@", ":secret-word@", database.service)
    said = told(*command, env=environment(tmp_path, database_url=wrong))
    assert "password" in said
    assert "MEMCUBED_DATABASE_URL" in said


def test_a_wrong_password_of_the_owner_is_that_of_the_other_setting(tmp_path: Path, database: DatabaseUrls) -> None:
    wrong = re.sub(r":[^:@/]+@", ":secret-word@", database.owner)
    settings = {**database_settings(database), "migration_database_url": wrong}
    assert "database in MEMCUBED_MIGRATION_DATABASE_URL" in told("migrate", env=environment(tmp_path, **settings))


def test_a_schema_that_is_not_there(tmp_path: Path, empty_database: DatabaseUrls) -> None:
    env = environment(tmp_path, database_url=empty_database.service)
    for command in (("serve", "--port", "0"), ("worker",), ("doctor",)):
        assert "Run `memcubed migrate`" in told(*command, env=env)
    # as a role that may not make tables
    assert "MEMCUBED_MIGRATION_DATABASE_URL has to name the owner" in told("migrate", env=env)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_home_that_can_not_be(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    said = told(*command, env=environment(tmp_path / "file" / "home"))
    assert str(tmp_path / "file" / "home") in said
    assert "set another MEMCUBED_HOME" in said


def test_an_env_file_that_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_bytes(b"MEMCUBED_REDACT=\xff\xfe\n")
    monkeypatch.chdir(tmp_path)
    assert "The file .env in the working directory can't be read" in told("doctor", env=environment(tmp_path))


@pytest.mark.parametrize(
    ("command", "table"),
    [
        (("doctor",), "task_shares"),
        (("doctor",), "procrastinate_jobs"),
        (("key", "list"), "api_keys"),
        (("key", "create"), "projects"),
        (("knowledgebase", "list"), "knowledge_bases"),
        (("index",), "large_cubes"),
    ],
)
def test_a_database_restored_in_part(
    tmp_path: Path, database: DatabaseUrls, command: tuple[str, ...], table: str
) -> None:
    env = environment(tmp_path, **database_settings(database))
    assert run_here("key", "create", env=env).returncode == 0
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(table)))
    said = told(*command, env=env)
    assert "The database is not whole" in said
    assert table in said
    detailed = run_here(*command, env={**env, "MEMCUBED_LOG_LEVEL": "debug"})
    assert "Traceback" in detailed.stderr


@pytest.mark.parametrize("command", [("index",), ("doctor",), ("key", "list")])
def test_a_role_without_rights(tmp_path: Path, database: DatabaseUrls, command: tuple[str, ...]) -> None:
    env = environment(tmp_path, **database_settings(database))
    assert run_here("key", "create", env=env).returncode == 0
    role = urlsplit(database.service).username or ""
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute(
            sql.SQL("REVOKE SELECT, INSERT ON api_keys, cubes, messages FROM {}").format(sql.Identifier(role))
        )
    said = told(*command, env=environment(tmp_path, database_url=database.service))
    assert "permission denied" in said
    assert "MEMCUBED_MIGRATION_DATABASE_URL has to name the owner of the tables" in said


def test_a_port_that_is_none(tmp_path: Path) -> None:
    done = run_here("serve", "--port", "99999", env=environment(tmp_path))
    assert done.returncode == 2
    assert "65535" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_of_metrics_in_use(tmp_path: Path, database: DatabaseUrls) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("worker", env=environment(tmp_path, **database_settings(database), metrics_port=port))
    assert done.returncode == 1
    assert "MEMCUBED_METRICS_PORT" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert "memcubed_started" not in done.stderr


def test_a_setting_that_there_is_not_is_warned_of(tmp_path: Path, database: DatabaseUrls) -> None:
    env = environment(tmp_path, **database_settings(database), log_levl="debug", service_password="x")
    with working(tmp_path, env) as worker:
        worker.logged("memcubed_started")
        assert "MEMCUBED_LOG_LEVL" in worker.log
        assert "MEMCUBED_SERVICE_PASSWORD" not in worker.log
        assert worker.stop() == 0


@pytest.mark.parametrize("command", ["doctor", "key create", "task list", "export", "index"])
def test_a_command_in_the_wrong_folder_makes_no_database(tmp_path: Path, command: str) -> None:
    said = told(*command.split(), env=environment(tmp_path))
    assert f"there is no database in {tmp_path}" in said
    assert "MEMCUBED_DATABASE_URL is not set here" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["missing/out.jsonl", "."])
def test_a_file_that_can_not_be_written(tmp_path: Path, database: DatabaseUrls, file: str) -> None:
    env = environment(tmp_path, **database_settings(database))
    assert run_here("key", "create", env=env).returncode == 0
    assert f"Can't open {tmp_path / file}" in told("export", str(tmp_path / file), env=env)


def test_a_file_that_is_no_text(tmp_path: Path, database: DatabaseUrls) -> None:
    (tmp_path / "picture").write_bytes(b"\x89PNG\xff")
    env = environment(tmp_path, **database_settings(database))
    assert "not text in UTF-8" in told("import", str(tmp_path / "picture"), env=env)


async def test_a_service_that_can_not_start_says_why_without_a_trace() -> None:
    sent: list[Message] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI):  # type: ignore[no-untyped-def]  # noqa: ANN202 - never gets to its yield
        raise ServiceUnavailableError("The database does not answer.")
        yield

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    app = FastAPI(lifespan=lifespan)
    app.add_middleware(PlainStart)
    with pytest.raises(ServiceUnavailableError):
        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    assert sent == [
        {"type": "lifespan.startup.failed", "message": "The service can't start: The database does not answer."}
    ]
