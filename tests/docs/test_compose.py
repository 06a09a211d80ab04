"""The Dockerfile and docker-compose.yml, without a Docker engine: read by a parser, and each command of theirs run by
hand, in the environment that compose would give it, on a real PostgreSQL."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import AliasChoices

from memcubed.bootstrap import DatabaseUrls
from memcubed.settings import Settings

REPOSITORY: Final = Path(__file__).parents[2]
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = ("migrate", "api", "worker")
VARIABLE: Final = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")
PATIENCE_SECONDS: Final = 90
SECRETS: Final = {"POSTGRES_PASSWORD": "0123", "MEMCUBED_SERVICE_PASSWORD": "4567"}
OF_LIBRARIES: Final = {
    *("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"),
    "FORWARDED_ALLOW_IPS",
}
OF_THE_CONTAINER: Final = {
    *("MEMCUBED_HOME", "MEMCUBED_HOST", "MEMCUBED_PORT", "MEMCUBED_METRICS_PORT"),
    *("MEMCUBED_DATABASE_URL", "MEMCUBED_MIGRATION_DATABASE_URL"),
}
"""Settings that say where things are: those of .env are of another machine."""
BIN: Final = Path(sys.prefix, "bin")
# read as a container would see them: none of the settings of whoever runs the tests
BARE: Final = {"PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}


def instructions() -> list[tuple[str, str]]:
    text = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in joined.splitlines()]


def last(instruction: str) -> str:
    return [rest for name, rest in instructions() if name == instruction][-1]


def interpolate(value: str, variables: Mapping[str, str]) -> str:
    def replaced(found: re.Match[str]) -> str:
        given = variables.get(found["name"], "")
        if not given and found["kind"] == "?":
            raise KeyError(found["name"])
        return given or (found["rest"] if found["kind"] == "-" else "")

    return VARIABLE.sub(replaced, value)


def test_the_image_runs_as_an_ordinary_user() -> None:
    uid = last("USER").split(":")[0]
    assert uid.isdigit()  # a name would not satisfy Kubernetes' runAsNonRoot
    assert int(uid) > 0


def test_the_image_needs_no_compiler() -> None:
    commands = " ".join(rest for name, rest in instructions() if name == "RUN")
    assert "--only-binary=:all:" in commands
    assert not re.search(r"apt|apk|gcc", commands)


def test_base_images_are_pinned_to_a_major_version() -> None:
    images = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    for image in [*images, SERVICES["postgres"]["image"]]:
        assert re.search(r":(pg)?\d+", image), image


def test_the_builder_gets_what_it_copies_and_nothing_else() -> None:
    ignore = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").split()
    assert "*" in ignore
    copied = {
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert copied == {entry[1:] for entry in ignore if entry.startswith("!")}
    assert all((REPOSITORY / source).exists() for source in copied)


def test_every_service_of_ours_runs_the_same_image() -> None:
    assert set(SERVICES) == {"postgres", *OURS}
    assert {SERVICES[name]["image"] for name in OURS} == {"memcubed"}


def test_each_starts_when_what_it_needs_is_there() -> None:
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("api", "worker"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert SERVICES[name]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert SERVICES["migrate"]["restart"] == "no"


def test_health_checks() -> None:
    assert "pg_isready" in SERVICES["postgres"]["healthcheck"]["test"]
    assert "/health/ready" in last("HEALTHCHECK")
    assert SERVICES["migrate"]["healthcheck"] == {"disable": True}  # it serves no HTTP
    for name in ("api", "worker"):
        assert "healthcheck" not in SERVICES[name]  # the image's


def test_the_database_is_on_one_named_volume_and_not_published() -> None:
    assert set(COMPOSE["volumes"]) == {"postgres"}
    assert [volume.split(":")[0] for volume in SERVICES["postgres"]["volumes"]] == ["postgres"]
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["api"]
    assert SERVICES["api"]["ports"] == ["${MEMCUBED_PUBLISH:-127.0.0.1:8000}:8000"]


def test_only_migrate_knows_the_owner() -> None:
    for name in OURS:
        knows = "POSTGRES_PASSWORD" in json.dumps(SERVICES[name]["environment"])
        assert knows == (name == "migrate"), name


def test_no_secret_is_written_down() -> None:
    for name, service in SERVICES.items():
        for variable, value in service["environment"].items():
            if value is None:  # from .env, or the shell
                continue
            if re.search(r"PASSWORD|KEY|DATABASE_URL", variable):
                assert "${" in value, f"{name}: {variable}"
            assert not re.search(r"://[^:@]*:[^@]+@", VARIABLE.sub("", value)), f"{name}: {variable}"


def test_every_variable_is_explained_in_the_example() -> None:
    text = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
    example = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    for found in VARIABLE.finditer(text):
        if found["kind"] == "?":
            assert re.search(rf"^{found['name']}=$", example, re.MULTILINE), found["name"]
        else:
            assert found["name"] in example or found["name"] == "MEMCUBED_LOG_FORMAT", found["name"]


def names_of_settings() -> set[str]:
    """Every name that a setting may be given by."""
    names = {f"MEMCUBED_{name}".upper() for name in Settings.model_fields}
    aliases = [field.validation_alias for field in Settings.model_fields.values()]
    return names.union(*(map(str, alias.choices) for alias in aliases if isinstance(alias, AliasChoices)))


def test_containers_get_settings_that_exist() -> None:
    for name in OURS:
        assert set(SERVICES[name]["environment"]) <= names_of_settings() | OF_LIBRARIES


@pytest.mark.parametrize("name", ["api", "worker"])
def test_every_setting_reaches_the_service_but_those_of_the_container(name: str) -> None:
    given = {setting: f"given {setting}" for setting in names_of_settings() | OF_LIBRARIES}
    got = environment(name, {**SECRETS, **given}, "database")
    assert {setting for setting, value in got.items() if value == f"given {setting}"} == set(given) - OF_THE_CONTAINER
    fixed = {setting: value for setting, value in got.items() if setting in OF_THE_CONTAINER}
    assert not any("given" in value for value in fixed.values())
    listens = {"MEMCUBED_HOST": "0.0.0.0", "MEMCUBED_METRICS_PORT": "8000"} if name == "worker" else {}  # noqa: S104
    assert set(fixed) == {"MEMCUBED_DATABASE_URL", *listens}
    assert {setting: fixed[setting] for setting in listens} == listens


def test_without_settings_those_of_the_service_hold() -> None:
    assert set(environment("api", SECRETS, "database")) == {"MEMCUBED_DATABASE_URL", "MEMCUBED_LOG_FORMAT"}


def test_the_image_can_send_traces() -> None:
    (snippet,) = re.findall(r'python -c "(.*?)" > requirements', " ".join(rest for _, rest in instructions()))
    done = subprocess.run([sys.executable, "-c", snippet], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert {"opentelemetry-sdk", "fastapi"} <= {re.split(r"[<>=\[]", line)[0] for line in done.stdout.splitlines()}


def test_without_passwords_nothing_starts() -> None:
    with pytest.raises(KeyError):
        environment("api", {"POSTGRES_PASSWORD": "x"}, "postgres:5432/memcubed")


def environment(name: str, secrets: Mapping[str, str], database: str) -> dict[str, str]:
    """What compose would set, with the database where it is here."""
    written: dict[str, str | None] = SERVICES[name]["environment"]
    given = {key: secrets.get(key) if value is None else interpolate(value, secrets) for key, value in written.items()}
    return {key: value.replace("postgres:5432/memcubed", database) for key, value in given.items() if value is not None}


def command(name: str) -> list[str]:
    entrypoint: list[str] = json.loads(last("ENTRYPOINT"))
    return [str(BIN / entrypoint[0]), *shlex.split(SERVICES[name]["command"])]


@contextmanager
def running(name: str, variables: Mapping[str, str], folder: Path) -> Iterator[Path]:
    """A service until the end of the block, then stopped as `docker compose stop` does; where its output goes."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command(name), cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(timeout=40)
        finally:
            process.kill()
    # uvicorn, having shut down in order, dies of the signal it was sent
    assert status in {0, -signal.SIGTERM}, log.read_text(encoding="utf-8")


def call(base_url: str, path: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Token {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{base_url}/{path}", json.dumps(body).encode(), headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        data: dict[str, Any] = json.load(answer)["data"]
    return data


def eventually(log: Path, pattern: str) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = re.search(pattern, log.read_text(encoding="utf-8"))
        if found:
            return found[1]
        time.sleep(0.1)
    raise AssertionError(f"{pattern} never came:\n{log.read_text(encoding='utf-8')}")


def is_healthy(port: str) -> bool:
    check: list[str] = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    probe = [sys.executable, *(part.replace(":8000", f":{port}") for part in check[1:])]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


def test_what_compose_starts_works(empty_database: DatabaseUrls, tmp_path: Path) -> None:
    owner = urlsplit(empty_database.owner)
    assert owner.username == "postgres"  # as in the pgvector image
    secrets = {"POSTGRES_PASSWORD": str(owner.password), "MEMCUBED_SERVICE_PASSWORD": "0123456789abcdef"}
    home = {**BARE, "HOME": str(tmp_path), "MEMCUBED_HOME": str(tmp_path / "home")}

    def variables(name: str) -> dict[str, str]:
        return {**home, **environment(name, secrets, f"{owner.hostname}:{owner.port}{owner.path}")}

    def run(*arguments: str, name: str) -> str:
        done = subprocess.run(arguments, cwd=tmp_path, env=variables(name), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    early = subprocess.run(command("worker"), cwd=tmp_path, env=variables("worker"), capture_output=True, check=False)
    assert early.returncode != 0  # the role and the schema come with the migration

    assert "It was at none." in run(*command("migrate"), name="migrate")
    assert "It was" not in run(*command("migrate"), name="migrate")  # `docker compose up`, once more

    # two containers may have the same port, two processes may not
    api = {**variables("api"), "MEMCUBED_PORT": "0"}
    worker = {**variables("worker"), "MEMCUBED_HOST": "127.0.0.1", "MEMCUBED_METRICS_PORT": "0"}
    with running("api", api, tmp_path) as log, running("worker", worker, tmp_path) as work:
        metrics = eventually(work, r'"port": (\d+).*"metrics_served"')
        port = eventually(log, r"http://127\.0\.0\.1:(\d+)/")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_healthy(port):
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.2)
        assert is_healthy(metrics)
        key = run(str(BIN / "memcubed"), "key", "create", "--quiet", name="api")
        base_url = f"http://127.0.0.1:{port}/api/openmem/v1"
        message = {"role": "user", "content": "我从不吃蘑菇。"}
        task = call(base_url, "add/message", key, {"user_id": "ada", "messages": [message]})
        while task["status"] == "running":
            assert time.monotonic() < deadline + PATIENCE_SECONDS
            time.sleep(0.2)
            task = call(base_url, "get/status", key, {"task_id": task["task_id"]})
        assert task["status"] == "completed"
        found = call(base_url, "search/memory", key, {"user_id": "ada", "query": "我吃蘑菇吗？", "relativity": 0})
        assert any("蘑菇" in memory["memory_value"] for memory in found["memory_detail_list"])
    assert not (tmp_path / "home").exists()  # with a database of its own it keeps nothing
