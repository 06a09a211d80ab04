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
            AND p.polroles = '{0}'
            AND pg_get_expr(p.polqual, c.oid) LIKE '%%project_id = %%memcubed_tenant()%%'
            AND coalesce(pg_get_expr(p.polwithcheck, c.oid), '') IN ('', pg_get_expr(p.polqual, c.oid)))
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'project_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
    ORDER BY 1
"""
OTHER_POLICIES = {
    ("admin_keys", "installation"): "keys of the installation belong to no project",
    ("admin_keys", "presented_key"): "whoever has a key sees that key, and no other",
    ("api_keys", "presented_key"): "whoever has a key sees that key, and no other",
    ("project_rates", "presented_key"): "a request is counted with the key that it presents",
}
"""Policies that are not a tenant's, and why they let nobody into another project."""

RUN_AS_OWNER = {
    "memcubed_large_words(uuid,text[],text[],integer)": (
        "lets `@@` use an index; looks at the transaction's project only, and gives ids that policies guard"
    )
}
"""Functions that row-level security does not bind, and why that lets nobody into another project."""

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


def test_every_other_policy_has_its_reason(api: Api) -> None:
    found = query(api.urls.owner, "SELECT polrelid::regclass::text, polname FROM pg_policy WHERE polname <> 'tenant'")
    assert set(found) == set(OTHER_POLICIES)


def test_the_service_is_an_ordinary_role(api: Api) -> None:
    (row,) = query(
        api.urls.service,
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles"
        " WHERE rolname = current_user",
    )
    assert row == (False, False, False, False, False)


def test_the_service_can_take_no_other_role(api: Api) -> None:
    others = query(
        api.urls.service,
        "SELECT rolname FROM pg_roles WHERE pg_has_role(current_user, oid, 'MEMBER') AND rolname <> current_user",
    )
    assert others == []


def test_the_service_owns_nothing(api: Api) -> None:
    owned = query(
        api.urls.service,
        "SELECT relname FROM pg_class WHERE relowner = current_user::regrole"
        " UNION SELECT proname FROM pg_proc WHERE proowner = current_user::regrole"
        " UNION SELECT nspname FROM pg_namespace WHERE nspowner = current_user::regrole",
    )
    assert owned == []


def test_the_service_has_no_right_that_policies_do_not_bind(api: Api) -> None:
    # TRUNCATE asks no policy, and a foreign key or a trigger of one's own reads what its table holds.
    found = query(
        api.urls.service,
        "SELECT relname, privilege FROM pg_class, unnest(ARRAY['TRUNCATE', 'REFERENCES', 'TRIGGER']) privilege"
        " WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        " AND has_table_privilege(current_user, pg_class.oid, privilege)",
    )
    assert found == []
    schemas = query(
        api.urls.service,
        "SELECT nspname FROM pg_namespace WHERE has_schema_privilege(current_user, oid, 'CREATE')"
        " AND nspname NOT LIKE 'pg\\_temp%%'",
    )
    assert schemas == []


def test_nothing_shows_a_table_past_its_policies(api: Api) -> None:
    # A view reads as its owner does, unless it is made otherwise; a materialised one keeps what its owner saw.
    views = query(
        api.urls.owner,
        "SELECT relname FROM pg_class WHERE relkind IN ('v', 'm', 'f') AND relnamespace = 'public'::regnamespace"
        " AND NOT coalesce(reloptions::text[] && ARRAY['security_invoker=true', 'security_invoker=on'], false)",
    )
    assert views == []


def test_every_function_that_runs_as_its_owner_is_known(api: Api) -> None:
    found = query(
        api.urls.owner,
        "SELECT oid::regprocedure::text, proowner = (SELECT relowner FROM pg_class WHERE oid = 'memories'::regclass),"
        " EXISTS (SELECT FROM unnest(proconfig) c WHERE c = 'search_path=pg_catalog, public, pg_temp')"
        " FROM pg_proc WHERE prosecdef AND pronamespace <> 'pg_catalog'::regnamespace",
    )
    assert {row[0] for row in found} == set(RUN_AS_OWNER)
    assert [row for row in found if row[1:] != (True, True)] == []


async def test_a_function_that_runs_as_its_owner_shows_nothing_of_another(api: Api, project: str) -> None:
    (cube,) = query(
        api.urls.owner, "SELECT cube_id FROM memories WHERE project_id = %(project)s LIMIT 1", project=project
    )
    # As if the cube were a large one, for which the function is made.
    query(
        api.urls.owner,
        "INSERT INTO large_cubes (cube_id, project_id, space, dimensions, memories, word_count, speakers, indexed_at)"
        " VALUES (%(cube)s, %(project)s, 's', 64, 1, 3, '{}', now()) RETURNING 1",
        cube=cube[0],
        project=project,
    )
    words = "SELECT count(*) FROM memcubed_large_words(%s, ARRAY['fact'], ARRAY['bee', 'keep', 'barn'], 5)"
    found = {}
    for tenant in (project, str(uuid4())):
        with psycopg.connect(api.urls.service) as connection:
            connection.execute("SELECT set_config('memcubed.project_id', %s, true)", (tenant,))
            found[tenant == project] = (connection.execute(words, cube).fetchone() or (0,))[0]
    query(api.urls.owner, "DELETE FROM large_cubes WHERE cube_id = %(cube)s RETURNING 1", cube=cube[0])
    assert found[False] == 0
    assert found[True] > 0


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
    ids = {"project_id", "cube_id", "task_id", "file_id"}
    assert {name for name, _ in columns} <= ids | {"failures", "timestamp", "origin"}
    origins = query(
        api.urls.owner,
        "SELECT DISTINCT key FROM procrastinate_jobs, jsonb_each(args -> 'origin') WHERE args ? 'origin'",
    )
    assert {name for (name,) in origins} <= {"request_id", "traceparent", "tracestate"}


async def test_one_projects_key_sees_nothing_of_anothers(api: Api) -> None:
    ours, theirs = await api.client(), await api.client()
    task = await ours.add("I keep bees behind the barn.", allow_public=True, conversation_id="c")
    await ours.finished(task["task_id"])
    assert await ours.values("bees")
    assert not await theirs.values("bees")
    assert not await theirs.values("bees", user="someone else")
    assert await theirs.messages("c") == []
    assert (await theirs.send("/get/status", {"task_id": task["task_id"]})).code == 50131
