"""/admin: projects, keys and usage, for admin keys alone."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from memcubed.doctor.text import report_lines
from memcubed.http.app import BASE_PATH
from tests.conftest import StartService
from tests.store.test_tenancy import tenant_tables
from tests.support.api import Answer, Api, Client, eventually
from tests.support.databases import query
from tests.support.scripted_llm import ScriptedServer
from tests.support.settings import llm_settings

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ROUTES = (
    ("GET", "/projects"),
    ("POST", "/projects"),
    ("GET", f"/projects/{UNKNOWN}"),
    ("PATCH", f"/projects/{UNKNOWN}"),
    ("DELETE", f"/projects/{UNKNOWN}"),
    ("GET", f"/projects/{UNKNOWN}/keys"),
    ("POST", f"/projects/{UNKNOWN}/keys"),
    ("DELETE", f"/projects/{UNKNOWN}/keys/{UNKNOWN}"),
    ("GET", f"/projects/{UNKNOWN}/tasks/{UNKNOWN}/usage"),
    ("GET", "/usage"),
    ("GET", "/doctor"),
)


class Admin:
    """An admin key in use."""

    def __init__(self, api: Api, key: str) -> None:
        self.api = api
        self.key = key
        self.root = str(api.http.base_url).split(BASE_PATH)[0]

    async def send(self, method: str, path: str, body: object = None, **parameters: str) -> Answer:
        response = await self.api.http.request(
            method,
            f"{self.root}/admin{path}",
            headers={"Authorization": f"Token {self.key}"},
            json=body,
            params=parameters,
        )
        return Answer.of(response)

    async def ask(self, method: str, path: str, body: object = None, **parameters: str) -> Any:  # noqa: ANN401 - JSON
        answer = await self.send(method, path, body, **parameters)
        assert answer.code == 0, answer
        return answer.data

    async def new_project(self, **fields: object) -> Any:  # noqa: ANN401 - JSON
        return await self.ask("POST", "/projects", {"name": f"project {uuid4().hex}", **fields})

    async def new_client(self, project_id: str, **fields: object) -> Client:
        made = await self.ask("POST", f"/projects/{project_id}/keys", fields)
        return Client(self.api.http, made["key"])


async def admin_of(api: Api) -> Admin:
    return Admin(api, await api.service.admin_keys.create(name="tests"))


@pytest.fixture
async def admin(api: Api) -> Admin:
    return await admin_of(api)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_projects_key_opens_no_admin_route(api: Api, client: Client, method: str, path: str) -> None:
    answer = await Admin(api, client.key).send(method, path, {})
    assert (answer.status, answer.code) == (401, 40132)
    root = str(api.http.base_url).split(BASE_PATH)[0]
    without = Answer.of(await api.http.request(method, f"{root}/admin{path}"))
    assert (without.status, without.code) == (401, 40130)


async def test_every_admin_route_is_asked_above(api: Api) -> None:
    root = str(api.http.base_url).split(BASE_PATH)[0]
    async with httpx.AsyncClient() as http:
        paths = (await http.get(f"{root}/openapi.json")).json()["paths"]
    found = {
        (method.upper(), re.sub(r"{\w+}", UNKNOWN, path))
        for path, item in paths.items()
        for method in item
        if path.startswith("/admin/")
    }
    assert found == {(method, f"/admin{path}") for method, path in ROUTES}
    assert all(operation["security"] for path, item in paths.items() if "/admin" in path for operation in item.values())


async def test_a_revoked_admin_key_is_refused_at_once(api: Api) -> None:
    admin = await admin_of(api)
    await admin.ask("GET", "/projects")
    await api.service.admin_keys.revoke(admin.key[:11])
    assert (await admin.send("GET", "/projects")).code == 40132


async def test_an_expired_admin_key_is_refused(api: Api) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    admin = Admin(api, await api.service.admin_keys.create(expires_at=past))
    assert (await admin.send("GET", "/projects")).code == 40132


async def test_the_life_of_a_project(admin: Admin) -> None:
    made = await admin.new_project(timezone="Asia/Shanghai")
    assert made["timezone"] == "Asia/Shanghai"
    assert made["daily_token_budget"] is None
    path = f"/projects/{made['id']}"
    shown = await admin.ask("GET", path)
    assert shown == {**made, "budget": {"limit": None, "spent": 0, "is_spent": False}}
    name = f"renamed {uuid4().hex}"
    changed = await admin.ask("PATCH", path, {"name": name, "timezone": "UTC", "daily_token_budget": 5})
    assert changed == {**made, "name": name, "timezone": "UTC", "daily_token_budget": 5}
    assert (await admin.ask("GET", path))["budget"]["limit"] == 5
    assert (await admin.ask("PATCH", path, {"daily_token_budget": 0}))["daily_token_budget"] == 0
    assert (await admin.ask("PATCH", path, {"daily_token_budget": "default"}))["daily_token_budget"] is None
    assert changed["id"] in [project["id"] for project in (await admin.ask("GET", "/projects"))["projects"]]
    assert await admin.ask("DELETE", path) == {"success": True}
    assert (await admin.send("GET", path)).code == 40001


async def test_a_project_is_in_the_default_time_zone_unless_another_is_named(admin: Admin) -> None:
    assert (await admin.new_project())["timezone"] == "UTC"


async def test_two_projects_can_not_have_one_name(admin: Admin) -> None:
    one, other = await admin.new_project(), await admin.new_project()
    for answer in (
        await admin.send("POST", "/projects", {"name": one["name"]}),
        await admin.send("PATCH", f"/projects/{other['id']}", {"name": one["name"]}),
    ):
        assert (answer.status, answer.code) == (409, 40000)
        assert one["name"] in answer.message


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ({}, 40002, "name"),
        ({"name": " "}, 40002, "name"),
        ({"name": 5}, 40000, "name"),
        ({"name": "x" * 201}, 40000, "200"),
        ({"name": "x", "timezone": "Mars/Olympus"}, 40000, "timezone"),
        ({"name": "x", "timezone": "../../etc/passwd"}, 40000, "timezone"),
    ],
)
async def test_what_a_project_can_not_be(admin: Admin, body: object, code: int, said: str) -> None:
    answer = await admin.send("POST", "/projects", body)
    assert (answer.status, answer.code) == (400, code)
    assert said in answer.message


@pytest.mark.parametrize("budget", [-1, 1.5, "much", True, 10**16])
async def test_what_a_budget_can_not_be(admin: Admin, budget: object) -> None:
    project = await admin.new_project()
    answer = await admin.send("PATCH", f"/projects/{project['id']}", {"daily_token_budget": budget})
    assert (answer.status, answer.code) == (400, 40000)
    assert "daily_token_budget" in answer.message


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("POST", "/projects", "name, timezone, redact"),
        ("PATCH", "/projects/{}", "name, timezone, daily_token_budget, redact"),
        ("POST", "/projects/{}/keys", "name, scopes, expires_at"),
    ],
)
@pytest.mark.parametrize("value", [5, None])
async def test_a_field_that_there_is_not_is_refused(
    admin: Admin, method: str, path: str, fields: str, value: object
) -> None:
    project = await admin.new_project()
    answer = await admin.send(method, path.format(project["id"]), {"name": uuid4().hex, "budget": value})
    assert (answer.status, answer.code) == (400, 40000)
    assert answer.message == f"There is no field 'budget' here; there are {fields}."
    assert (await admin.ask("GET", f"/projects/{project['id']}"))["name"] == project["name"]


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if UNKNOWN in route[1]])
@pytest.mark.parametrize("malformed", [False, True])
async def test_an_id_that_does_not_exist(admin: Admin, method: str, path: str, malformed: bool) -> None:  # noqa: FBT001 - a case
    asked = path.replace(UNKNOWN, "4711") if malformed else path
    answer = await admin.send(method, asked, {})
    assert (answer.status, answer.code) == (404, 40001)


async def test_the_life_of_a_key(admin: Admin) -> None:
    project = await admin.new_project()
    path = f"/projects/{project['id']}/keys"
    until = datetime.now(UTC) + timedelta(days=1)
    made = await admin.ask("POST", path, {"name": "reader", "scopes": ["read"], "expires_at": until.isoformat()})
    assert made["key"].startswith(made["prefix"])
    assert made["scopes"] == ["read"]
    assert made["expires_time"] == int(until.timestamp() * 1000)
    client = Client(admin.api.http, made["key"])
    await client.search("x")
    assert (await client.send("/add/message", {})).code == 40306
    (listed,) = (await admin.ask("GET", path))["keys"]
    assert listed.pop("last_used_time") is not None
    assert listed == {name: value for name, value in made.items() if name not in {"key", "last_used_time"}}
    assert await admin.ask("DELETE", f"{path}/{made['id']}") == {"success": True}
    assert (await client.send("/search/memory", {"user_id": "u", "query": "x"})).code == 40132
    assert (await admin.ask("GET", path))["keys"][0]["revoked_time"] is not None
    assert (await admin.send("DELETE", f"{path}/{made['id']}")).code == 40001


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"scopes": []}, 40003),
        ({"scopes": ["admin"]}, 40000),
        ({"scopes": "read"}, 40000),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 40000),
        ({"expires_at": "tomorrow"}, 40000),
    ],
)
async def test_what_a_key_can_not_be(admin: Admin, body: object, code: int) -> None:
    project = await admin.new_project()
    answer = await admin.send("POST", f"/projects/{project['id']}/keys", body)
    assert (answer.status, answer.code) == (400, code)
    assert (await admin.ask("GET", f"/projects/{project['id']}/keys"))["keys"] == []


async def test_a_key_is_revoked_in_its_own_project_only(admin: Admin) -> None:
    one, other = await admin.new_project(), await admin.new_project()
    made = await admin.ask("POST", f"/projects/{one['id']}/keys", {})
    assert (await admin.send("DELETE", f"/projects/{other['id']}/keys/{made['id']}")).code == 40001
    await Client(admin.api.http, made["key"]).search("x")


async def test_a_deleted_project_leaves_nothing(admin: Admin) -> None:
    project, kept = await admin.new_project(), await admin.new_project()
    for one in (project, kept):
        client = await admin.new_client(one["id"])
        task = await client.add("I keep bees behind the barn.", allow_public=True)
        await client.finished(task["task_id"])
    await admin.ask("DELETE", f"/projects/{project['id']}")

    def rows(project_id: str) -> dict[str, int]:
        counted = {}
        for table in tenant_tables(admin.api):
            statement = f"SELECT count(*) FROM {table} WHERE project_id = %(id)s"
            ((counted[table],),) = query(admin.api.urls.owner, statement, id=project_id)
        return counted

    assert {table for table, count in rows(project["id"]).items() if count} == set()
    assert rows(kept["id"])["memories"] > 0


def test_every_table_of_a_project_goes_with_it(api: Api) -> None:
    reached = query(
        api.urls.owner,
        """
        WITH RECURSIVE gone AS (
            SELECT 'projects'::regclass::oid AS id
            UNION SELECT c.conrelid FROM pg_constraint c JOIN gone ON c.confrelid = gone.id AND c.confdeltype = 'c'
        )
        SELECT id::regclass::text FROM gone
        """,
    )
    assert set(tenant_tables(api)) - {row[0] for row in reached} == set()


async def test_a_project_deleted_during_extraction_stays_deleted(start: StartService) -> None:
    with ScriptedServer() as server:
        async with start(llm_settings(server), worker=False) as quiet:
            admin = await admin_of(quiet)
            project = await admin.new_project()
            client = await admin.new_client(project["id"])
            await client.add("I keep bees behind the barn.")
            await admin.ask("DELETE", f"/projects/{project['id']}")
            assert query(quiet.urls.owner, "SELECT count(*) FROM procrastinate_jobs WHERE args ? 'task_id'") == [(0,)]


async def test_usage_by_day_and_by_task(start: StartService) -> None:
    with ScriptedServer() as server:
        async with start(llm_settings(server)) as api:
            admin = await admin_of(api)
            project, idle = await admin.new_project(), await admin.new_project()
            client = await admin.new_client(project["id"])
            task = (await client.add("I keep bees behind the barn."))["task_id"]
            await client.finished(task)

            async def divided() -> Any:  # noqa: ANN401 - JSON
                found = await admin.ask("GET", "/usage")
                return found if [kind["kind"] for kind in found["kinds"]] == ["fact"] else None

            shown = await eventually(divided)
            (row,) = shown["usage"]
            counts = {name: row[name] for name in ("calls", "input_tokens", "output_tokens")}
            assert {name: row[name] for name in ("project_id", "purpose", "model", "day")} == {
                "project_id": project["id"],
                "purpose": "extraction",
                "model": "scripted",
                "day": datetime.now(UTC).date().isoformat(),
            }
            assert counts["calls"] == 1
            assert shown["total"] == counts
            of_task = await admin.ask("GET", f"/projects/{project['id']}/tasks/{task}/usage")
            extraction = {"purpose": "extraction", "model": "scripted", **counts}
            fact = {"kind": "fact", "memories": 1, **counts}
            assert of_task == {"usage": [extraction], "kinds": [fact], "total": counts}
            assert shown["kinds"] == [{"project_id": project["id"], **fact}]

            assert (await admin.ask("GET", "/usage", project_id=project["id"])) == shown
            assert (await admin.ask("GET", "/usage", project_id=idle["id"]))["usage"] == []
            assert (await admin.ask("GET", "/usage", last_day="2020-01-31"))["usage"] == []
            spent = (await admin.ask("GET", f"/projects/{project['id']}"))["budget"]
            assert spent == {
                "limit": None,
                "spent": counts["input_tokens"] + counts["output_tokens"],
                "is_spent": False,
            }


@pytest.mark.parametrize(
    "parameters",
    [
        {"first_day": "2026-02-01", "last_day": "2026-01-01"},
        {"first_day": "2020-01-01", "last_day": "2026-01-01"},
        {"first_day": "yesterday"},
        {"last_day": "0001-01-01", "first_day": "x"},
    ],
)
async def test_days_that_are_none(admin: Admin, parameters: dict[str, str]) -> None:
    answer = await admin.send("GET", "/usage", **parameters)
    assert (answer.status, answer.code) == (400, 40000)


async def test_the_first_day_of_all_is_no_failure(admin: Admin) -> None:
    assert (await admin.ask("GET", "/usage", last_day="0001-01-02"))["usage"] == []


async def test_the_doctor_says_why_work_waits(start: StartService) -> None:
    with ScriptedServer() as server:
        async with start(llm_settings(server, daily_token_budget=1)) as api:
            admin = await admin_of(api)
            project = await admin.new_project()
            client = await admin.new_client(project["id"])
            await client.finished((await client.add("I moved to Lisbon.", user="first"))["task_id"])
            task = (await client.add("I keep bees behind the barn."))["task_id"]

            async def waits() -> bool:
                return (await client.status(task))["reason"] is not None

            await eventually(waits)
            (found,) = (await admin.ask("GET", "/doctor", project=project["name"]))["projects"]
            assert found["project"] == project["name"]
            assert [(one["tasks"], "budget" in one["reason"]) for one in found["waiting"]] == [(1, True)]
            assert found["tokens_spent"] >= found["daily_token_budget"] == 1
            told = "\n".join(report_lines(await api.service.doctor.examine(project["name"])))
            assert "of 1 model tokens for today are spent" in told
            assert {one["check"]: one["count"] for one in found["findings"]}["stuck_shares"] == 0
            assert (await admin.send("GET", "/doctor", project="no such project")).code == 40001


async def test_a_larger_budget_lets_waiting_work_go_on(start: StartService) -> None:
    with ScriptedServer() as server:
        async with start(llm_settings(server, daily_token_budget=1)) as api:
            admin = await admin_of(api)
            project = await admin.new_project()
            client = await admin.new_client(project["id"])
            await client.finished((await client.add("I moved to Lisbon.", user="first"))["task_id"])
            assert (await admin.ask("GET", f"/projects/{project['id']}"))["budget"]["is_spent"] is True
            task = (await client.add("I keep bees behind the barn."))["task_id"]

            async def waits() -> bool:
                return (await client.status(task))["reason"] is not None

            await eventually(waits)
            await admin.ask("PATCH", f"/projects/{project['id']}", {"daily_token_budget": 1_000_000})
            assert (await client.finished(task))["status"] == "completed"
