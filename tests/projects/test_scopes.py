"""What a key may do: every route of the OpenAPI document is asked with keys that may only read, or only write."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from memcubed.http.app import BASE_PATH
from memcubed.projects.scopes import PROJECT_SCOPES, Scope, needed_scope
from tests.support.api import Answer, Api, Client
from tests.support.databases import query
from tests.support.process import environment, run_here

WRITING_VERBS = {"add", "update", "delete", "edit", "bind", "create", "chat"}


async def key_of(api: Api, *scopes: Scope, project: str = "scopes") -> Client:
    key = await api.service.projects.create_key(project, timezone="UTC", scopes=frozenset(scopes))
    return Client(api.http, key)


async def operations(api: Api) -> list[tuple[str, str]]:
    """Every method and path of the contract that asks for a key."""
    root = str(api.http.base_url).split(BASE_PATH)[0]
    async with httpx.AsyncClient() as http:
        document: dict[str, Any] = (await http.get(f"{root}/openapi.json")).json()
    return [
        (method.upper(), path.removeprefix(BASE_PATH))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path.startswith(BASE_PATH) and "security" in operation
    ]


async def ask(client: Client, method: str, path: str) -> Answer:
    unknown = path.replace("{", "").replace("}", "")
    headers = {"Authorization": f"Token {client.key}"}
    return Answer.of(await client.http.request(method, unknown, headers=headers, json={}))


async def test_every_route_refuses_a_key_without_its_scope(api: Api) -> None:
    clients = {scope: await key_of(api, scope) for scope in PROJECT_SCOPES}
    found = await operations(api)
    assert {("POST", "/add/message"), ("POST", "/search/memory")} <= set(found)
    for method, path in found:
        needed = needed_scope(method, path)
        for scope, client in clients.items():
            answer = await ask(client, method, path)
            assert (answer.status == 403) == (scope is not needed), (method, path, scope, answer)
            if scope is not needed:
                assert answer.code == 40306
                assert f"`{needed}`" in answer.message
                assert f"`{scope}`" in answer.message


async def test_routes_that_change_something_need_write(api: Api) -> None:
    for method, path in await operations(api):
        verb = path.split("/")[1]
        assert (verb in WRITING_VERBS) == (needed_scope(method, path) is Scope.WRITE), (
            f"{method} {path}: say in projects/scopes.py whether it reads, and here when its verb is a new one"
        )


@pytest.mark.parametrize("path", ["/frobnicate/memory", "/getaway/car", "", "/"])
def test_a_route_that_nobody_thought_of_needs_write(path: str) -> None:
    assert needed_scope("POST", path) is Scope.WRITE


async def test_a_reading_key_reads_what_a_writing_key_wrote(api: Api) -> None:
    reader, writer = await key_of(api, Scope.READ, project="both"), await key_of(api, Scope.WRITE, project="both")
    await writer.add("I keep bees behind the barn.")
    assert await reader.values("bees")


async def test_a_refused_call_changes_nothing(api: Api) -> None:
    reader = await key_of(api, Scope.READ, project="reading only")
    body = {"user_id": "u", "conversation_id": "c", "messages": [{"role": "user", "content": "I keep bees."}]}
    assert (await reader.send("/add/message", body)).status == 403
    assert await reader.messages("c") == []


async def test_a_key_has_both_scopes_unless_less_is_asked_for(api: Api, client: Client) -> None:
    assert query(api.urls.owner, "SELECT scopes FROM api_keys WHERE prefix = %(prefix)s", prefix=client.key[:11]) == [
        (["read", "write"],)
    ]


async def test_a_key_with_a_scope_and_an_end_on_the_command_line(api: Api, tmp_path: Path) -> None:
    env = environment(tmp_path, database_url=api.urls.service)
    arguments = ("key", "create", "--project", "scoped", "--quiet", "--scope", "read", "--expires", "2099-12-31")
    made = await asyncio.to_thread(run_here, *arguments, env=env)
    assert (made.returncode, made.stderr) == (0, "")
    client = Client(api.http, made.stdout.strip())
    assert (await client.send("/search/memory", {"user_id": "u", "query": "x"})).code == 0
    assert (await client.send("/add/message", {})).code == 40306
    listed = (await asyncio.to_thread(run_here, "key", "list", "--project", "scoped", env=env)).stdout
    assert listed.split()[:3] == [client.key[:11], "active", "read"]
    assert "expires 2099-12-31" in listed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--expires", "2020-01-01"), "must be in the future"),
        (("--expires", "2099-01-01", "--expires-in-days", "3"), "not both"),
        (("--scope", "admin", "--scope", "read"), "belongs to no project"),
    ],
)
async def test_options_that_make_no_sense_are_refused(
    api: Api, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    env = environment(tmp_path, database_url=api.urls.service)
    refused = await asyncio.to_thread(run_here, "key", "create", *arguments, env=env)
    assert refused.returncode == 1
    assert said in refused.stderr


async def test_an_admin_key_on_the_command_line(api: Api, tmp_path: Path) -> None:
    env = environment(tmp_path, database_url=api.urls.service)

    async def cli(*arguments: str) -> str:
        done = await asyncio.to_thread(run_here, "key", *arguments, env=env)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    key = (await cli("create", "--scope", "admin", "--name", "console", "--quiet")).strip()
    listed = next(line for line in (await cli("list", "--admin")).splitlines() if line.startswith(key[:11]))
    assert listed.split()[1:3] == ["active", "admin"]
    assert "console" in listed
    assert await cli("revoke", "--admin", key[:11]) == f"Revoked {key[:11]}.\n"
    assert "revoked" in await cli("list", "--admin")


async def test_an_admin_key_opens_no_project(api: Api) -> None:
    admin = Client(api.http, await api.service.admin_keys.create())
    answer = await admin.send("/search/memory", {"user_id": "u", "query": "x"})
    assert (answer.status, answer.code) == (401, 40132)


async def test_no_tenant_sees_an_admin_key(api: Api) -> None:
    await api.service.admin_keys.create()
    (project, *_) = query(api.urls.owner, "SELECT id FROM projects")
    with psycopg.connect(api.urls.service) as connection:
        connection.execute("SELECT set_config('memcubed.project_id', %s, true)", (str(project[0]),))
        assert connection.execute("SELECT count(*) FROM admin_keys").fetchone() == (0,)
