"""Row-level security is on, and binds the role that the service runs as."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.support.api import Api
from tests.support.databases import query

TENANT_TABLES = """
    SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
        EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd = '*'
            AND pg_get_expr(p.polqual, c.oid) LIKE '%%project_id = %%memcubed_tenant()%%')
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'project_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
    ORDER BY 1
"""
NO_TENANT = {"alembic_version", "projects", "calibrations", "admin_keys"}
"""Tables that belong to no project and hold nothing of what users said."""


FILLED = ("api_keys", "cubes", "memories", "memory_sources", "memory_vectors", "memory_versions", "messages",
          "task_shares", "tasks")  # fmt: skip
"""The tables in which an add leaves rows."""


def tenant_tables(api: Api) -> list[str]:
    return [row[0] for row in query(api.urls.owner, TENANT_TABLES)]


@pytest.fixture
async def project(api: Api) -> str:
    """A project with rows in the tenant tables."""
    client = await api.client()
    task = await client.add("I keep bees behind the barn.")
    await client.finished(task["task_id"])
    (row,) = query(api.urls.owner, "SELECT project_id FROM tasks WHERE id = %(id)s", id=task["task_id"])
    for table in FILLED:
        count = query(api.urls.owner, f"SELECT count(*) FROM {table} WHERE project_id = %(project)s", project=row[0])
        assert count > [(0,)], table
    return str(row[0])


def test_every_table_of_a_project_is_guarded(api: Api) -> None:
    found = query(api.urls.owner, TENANT_TABLES)
    assert {row[0] for row in found} >= set(FILLED)
    assert [row for row in found if row[1:] != (True, True, True)] == []


def test_every_other_table_is_known_to_hold_nothing_of_users(api: Api) -> None:
    tables = query(
        api.urls.owner,
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace",
    )
    names = {row[0] for row in tables if not row[0].startswith("procrastinate_")}
    assert names - set(tenant_tables(api)) - NO_TENANT == set()


def test_the_service_is_an_ordinary_role(api: Api) -> None:
    (row,) = query(
        api.urls.service,
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user",
    )
    assert row == (False, False, False, False)
    owned = query(
        api.urls.service,
        "SELECT relname FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)",
    )
    assert owned == []


def test_without_a_tenant_no_row_is_seen(api: Api, project: str) -> None:
    assert project
    for table in tenant_tables(api):
        assert query(api.urls.service, f"SELECT count(*) FROM {table}") == [(0,)], table


def test_a_tenant_sees_its_own_rows_only(api: Api, project: str) -> None:
    for table in FILLED:
        assert seen_by(api, project, table) == {project}, table
    for table in tenant_tables(api):
        assert seen_by(api, str(uuid4()), table) == set(), table


def seen_by(api: Api, project: str, table: str) -> set[str]:
    with psycopg.connect(api.urls.service) as connection:
        connection.execute("SELECT set_config('memcubed.project_id', %s, true)", (project,))
        return {str(row[0]) for row in connection.execute(f"SELECT project_id FROM {table}".encode())}


def test_a_tenant_can_not_write_for_another(api: Api, project: str) -> None:
    with psycopg.connect(api.urls.service) as connection:
        connection.execute("SELECT set_config('memcubed.project_id', %s, true)", (str(uuid4()),))
        for table in tenant_tables(api):
            changed = connection.execute(f"UPDATE {table} SET project_id = project_id".encode())
            assert changed.rowcount == 0, table
            assert connection.execute(f"DELETE FROM {table}".encode()).rowcount == 0, table
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(
                "INSERT INTO cubes (id, project_id, kind, owner) VALUES (gen_random_uuid(), %s, 'user', 'x')",
                (project,),
            )


def test_a_tenant_can_not_give_its_rows_away(api: Api, project: str) -> None:
    with psycopg.connect(api.urls.service) as connection:
        connection.execute("SELECT set_config('memcubed.project_id', %s, true)", (project,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE memories SET project_id = gen_random_uuid()")


def test_the_tenant_of_a_transaction_ends_with_it(api: Api, project: str) -> None:
    with psycopg.connect(api.urls.service, autocommit=True) as connection:
        with connection.transaction():
            connection.execute("SELECT set_config('memcubed.project_id', %s, true)", (project,))
            assert one(connection, "SELECT count(*) > 0 FROM memories") is True
        assert one(connection, "SELECT count(*) FROM memories") == 0


def one(connection: psycopg.Connection, statement: str) -> Any:  # noqa: ANN401 - a value of the database
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def test_a_presented_key_opens_its_own_row_only(api: Api, project: str) -> None:
    keys = query(api.urls.owner, "SELECT key_hash FROM api_keys WHERE project_id = %(project)s", project=project)
    with psycopg.connect(api.urls.service) as connection:
        connection.execute("SELECT set_config('memcubed.key_hash', %s, true)", keys[0])
        assert one(connection, "SELECT count(*) FROM api_keys") == 1
        connection.execute("SELECT set_config('memcubed.key_hash', '', true)")
        assert one(connection, "SELECT count(*) FROM api_keys") == 0


async def test_the_database_holds_no_key(api: Api) -> None:
    client = await api.client()
    await client.add("hello")
    secret = client.key.split("-", 2)[2]
    for table in [*tenant_tables(api), *NO_TENANT, "procrastinate_jobs"]:
        rows = query(
            api.urls.owner, f"SELECT t::text FROM {table} t WHERE t::text LIKE %(secret)s", secret=f"%{secret}%"
        )
        assert rows == [], table
    shown = query(api.urls.owner, "SELECT prefix FROM api_keys WHERE prefix = %(prefix)s", prefix=client.key[:11])
    assert shown == [(client.key[:11],)]


async def test_the_queue_holds_ids_only(api: Api) -> None:
    columns = query(
        api.urls.owner, "SELECT DISTINCT key, jsonb_typeof(value) FROM procrastinate_jobs, jsonb_each(args) ORDER BY 1"
    )
    assert {name for name, _ in columns} <= {"project_id", "cube_id", "task_id", "file_id", "failures", "timestamp"}


async def test_one_projects_key_sees_nothing_of_anothers(api: Api) -> None:
    ours, theirs = await api.client(), await api.client()
    task = await ours.add("I keep bees behind the barn.", allow_public=True, conversation_id="c")
    await ours.finished(task["task_id"])
    assert await ours.values("bees")
    assert not await theirs.values("bees")
    assert not await theirs.values("bees", user="someone else")
    assert await theirs.messages("c") == []
    assert (await theirs.send("/get/status", {"task_id": task["task_id"]})).code == 50131
