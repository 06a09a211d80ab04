import asyncio
import hashlib
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from memcubed.errors import InvalidRequestError, MissingFieldError, NotFoundError
from memcubed.projects.keys import generate_key, hash_key
from tests.support.api import Api, Client
from tests.support.databases import query
from tests.support.process import environment, run_here

KEY = r"mc-[0-9a-f]{8}-[\w-]{32}"


def test_keys_are_random_and_kept_as_a_hash() -> None:
    keys = [generate_key() for _ in range(100)]
    assert len({key.secret for key in keys}) == len({key.key_hash for key in keys}) == 100
    for key in keys:
        assert re.fullmatch(KEY, key.secret)
        assert key.secret.startswith(f"{key.prefix}-")
        assert key.key_hash == hash_key(key.secret) == hashlib.sha256(key.secret.encode()).hexdigest()


async def accepted(http: httpx.AsyncClient, key: str) -> bool:
    return (await Client(http, key).send("/search/memory", {"user_id": "u", "query": "x"})).code == 0


async def test_the_life_of_a_key_on_the_command_line(api: Api, tmp_path: Path) -> None:
    env = environment(tmp_path, database_url=api.urls.service)

    async def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(run_here, *arguments, env=env)

    made = await cli("key", "create", "--project", "cli", "--quiet")
    assert (made.returncode, made.stderr) == (0, "")
    key = made.stdout.removesuffix("\n")
    assert re.fullmatch(KEY, key)
    assert await accepted(api.http, key)

    verbose = await cli("key", "create", "--project", "cli", "--name", "for tests", "--expires-in-days", "1")
    other = verbose.stdout.splitlines()[-1]
    assert re.fullmatch(KEY, other)

    listed = (await cli("key", "list", "--project", "cli")).stdout
    assert key[:11] in listed
    assert key not in listed
    assert other not in listed
    assert [line.split()[1] for line in listed.splitlines()] == ["active", "active"]
    assert "for tests" in listed

    revoked = await cli("key", "revoke", key[:11], "--project", "cli")
    assert (revoked.returncode, revoked.stdout) == (0, f"Revoked {key[:11]}.\n")
    assert not await accepted(api.http, key)
    assert await accepted(api.http, other)
    assert "revoked" in (await cli("key", "list", "--project", "cli")).stdout

    again = await cli("key", "revoke", key[:11], "--project", "cli")
    assert again.returncode == 1
    assert again.stderr.startswith("memcubed: ")
    assert len(again.stderr.splitlines()) == 1


async def test_a_project_is_made_once_with_its_time_zone(api: Api) -> None:
    for _ in range(2):
        await api.service.projects.create_key("zoned", timezone="Asia/Shanghai")
    await api.service.projects.create_key("zoned", timezone="UTC")
    assert query(api.urls.owner, "SELECT timezone FROM projects WHERE name = 'zoned'") == [("Asia/Shanghai",)]


@pytest.mark.parametrize(("name", "error"), [(" ", MissingFieldError), ("x" * 201, InvalidRequestError)])
async def test_a_new_project_is_called_what_the_admin_api_lets_one_be_called(
    api: Api, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match="name"):
        await api.service.projects.create_key(name, timezone="UTC")
    with pytest.raises(error, match="name"):
        await api.service.projects.ensure_project(name, timezone="UTC")


async def test_a_key_is_called_what_the_admin_api_lets_one_be_called(api: Api) -> None:
    with pytest.raises(InvalidRequestError, match="200"):
        await api.service.projects.create_key("long", timezone="UTC", name="x" * 201)
    with pytest.raises(InvalidRequestError, match="200"):
        await api.service.admin_keys.create(name="x" * 201)
    assert query(api.urls.owner, "SELECT count(*) FROM projects WHERE name = 'long'") == [(0,)]


async def test_blanks_around_a_new_projects_name_are_left_out(api: Api) -> None:
    await api.service.projects.create_key(" blank ", timezone="UTC")
    again = await api.service.projects.ensure_project(" blank ", timezone="UTC")
    assert again.name == "blank"
    assert query(api.urls.owner, "SELECT count(*) FROM projects WHERE name LIKE '%%blank%%'") == [(1,)]


async def test_keys_of_other_projects_can_not_be_revoked_or_listed(api: Api) -> None:
    projects = api.service.projects
    key = await projects.create_key("ours", timezone="UTC")
    await projects.create_key("theirs", timezone="UTC")
    with pytest.raises(NotFoundError):
        await projects.revoke_key("theirs", key[:11])
    assert key[:11] not in {listed.prefix for listed in await projects.list_keys("theirs")}
    with pytest.raises(NotFoundError):
        await projects.list_keys("nobody's")
    assert await accepted(api.http, key)


async def test_the_last_use_is_noted(api: Api) -> None:
    key = await api.service.projects.create_key("used", timezone="UTC")
    (unused,) = await api.service.projects.list_keys("used")
    assert unused.last_used_at is None
    assert await accepted(api.http, key)
    assert await accepted(api.http, key)
    (used,) = await api.service.projects.list_keys("used")
    assert used.last_used_at is not None
