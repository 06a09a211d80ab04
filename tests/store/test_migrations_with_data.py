"""Migrations over data: rows that any revision's release may have left behind come through, up and down again."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid5

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from memcubed.bootstrap import DatabaseUrls
from memcubed.errors import ConfigurationError
from memcubed.store.migrate import check, head_revision, migrate
from tests.store.test_migrations import MIGRATIONS, alembic

NAMESPACE = UUID("5f0f5bd0-33a1-4c8e-a3ab-6a2f7d0f1f6e")
REVISIONS = sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))

Rows = dict[str, list[dict[str, Any]]]
"""By table: its rows, in the order of their text."""

TABLES = """
    SELECT relname::text AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
        AND relname NOT LIKE 'procrastinate%' AND relname NOT LIKE 'alembic%' ORDER BY 1
"""
COLUMNS = """
    SELECT a.attname::text AS name, format_type(a.atttypid, NULL) AS type FROM pg_attribute a
    WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
        AND a.attidentity = '' AND a.attgenerated = '' ORDER BY a.attnum
"""


@pytest.fixture
def connection(empty_database: DatabaseUrls) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    # columns come and go, which no prepared statement would survive
    options: dict[str, Any] = {"autocommit": True, "prepare_threshold": None}
    with psycopg.connect(empty_database.owner, row_factory=dict_row, **options) as opened:
        yield opened


def value(type_: str, revision: str) -> object:
    """One of this type; every id of a revision's rows is the same, so each row refers to those beside it."""
    values: dict[str, object] = {
        "uuid": uuid5(NAMESPACE, revision),
        "text": f"left by {revision}",
        "text[]": ["read", revision],
        "jsonb": '{"scene": "work", "count": 1}',
        "halfvec": "[1,2]",
        "tsvector": "work:1",
        "bytea": b"\x00\xff",
        "boolean": True,
        "date": "2026-01-02",
        "timestamp with time zone": "2026-01-02 03:04:05+00",
    }
    return values.get(type_, int(revision))


def leave_rows(connection: psycopg.Connection[dict[str, Any]], revision: str) -> None:
    """A row in each table that there is, as a release of this revision may have left it."""
    waiting = [row["name"] for row in connection.execute(TABLES).fetchall()]
    while waiting:
        left = []
        for table in waiting:
            columns = connection.execute(COLUMNS, [table]).fetchall()
            statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(table),
                sql.SQL(", ").join(sql.Identifier(column["name"]) for column in columns),
                sql.SQL(", ").join(sql.Placeholder() for _ in columns),
            )
            try:
                connection.execute(statement, [value(column["type"], revision) for column in columns])
            except psycopg.errors.ForeignKeyViolation:
                left.append(table)
        assert len(left) < len(waiting), f"no row can be left in {left}"
        waiting = left


def read_rows(connection: psycopg.Connection[dict[str, Any]]) -> Rows:
    return {
        row["name"]: connection.execute(
            sql.SQL("SELECT * FROM {0} ORDER BY {0}::text").format(sql.Identifier(row["name"]))
        ).fetchall()
        for row in connection.execute(TABLES).fetchall()
    }


def kept(before: Rows, after: Rows) -> bool:
    """Whether each row of a table of both is there with the values it had, in the columns of both."""
    for table in before.keys() & after.keys():
        if not before[table]:
            continue
        assert after[table], f"{table} is empty"
        columns = before[table][0].keys() & after[table][0].keys()
        shared = [[{name: row[name] for name in columns} for row in rows[table]] for rows in (before, after)]
        for row in shared[0]:
            assert row in shared[1], f"{table} has lost {row}"
        assert len(before[table]) == len(after[table]), table
    return True


def test_rows_of_every_revision_come_through_all_later_ones_and_back(
    empty_database: DatabaseUrls, connection: psycopg.Connection[dict[str, Any]]
) -> None:
    before: Rows = {}
    for revision in REVISIONS:
        alembic(empty_database, "upgrade", revision)
        after = read_rows(connection)
        assert kept(before, after)
        assert before.keys() <= after.keys(), f"{revision} has dropped a table"
        leave_rows(connection, revision)
        before = read_rows(connection)
    assert migrate(empty_database.owner, empty_database.service) == (head_revision(), head_revision())
    check(empty_database.service)
    whole = before
    for _ in REVISIONS[1:]:
        alembic(empty_database, "downgrade", "-1")
        after = read_rows(connection)
        assert kept(before, after)
        before = after
    assert len(before["projects"]) == len(REVISIONS)
    assert migrate(empty_database.owner, empty_database.service) == (REVISIONS[0], head_revision())
    assert kept(before, read_rows(connection))
    assert read_rows(connection).keys() == whole.keys()


def test_marks_of_info_are_filled_in_for_rows_from_before_them(
    empty_database: DatabaseUrls, connection: psycopg.Connection[dict[str, Any]]
) -> None:
    alembic(empty_database, "upgrade", "0013")
    leave_rows(connection, "0013")
    migrate(empty_database.owner, empty_database.service)
    marks = connection.execute("SELECT scene_mark, biz_id_mark FROM memories").fetchall()
    assert marks == [{"scene_mark": "=work", "biz_id_mark": None}]


def test_a_migration_behind_a_long_transaction_gives_up_and_can_be_repeated(
    empty_database: DatabaseUrls,
    connection: psycopg.Connection[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("memcubed.store.migrate.LOCK_TIMEOUT", "100ms")
    alembic(empty_database, "upgrade", "0003")
    leave_rows(connection, "0003")
    with psycopg.connect(empty_database.owner) as writer:
        writer.execute("UPDATE memories SET value = 'written meanwhile'")
        with pytest.raises(ConfigurationError, match=r"a table is in use.*run `memcubed migrate` again"):
            migrate(empty_database.owner, empty_database.service)
        # what came before it stays done
        done = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        assert done == {"version_num": "0006"}
    assert migrate(empty_database.owner, empty_database.service) == ("0006", head_revision())
    assert [row["value"] for row in read_rows(connection)["memories"]] == ["written meanwhile"]
    check(empty_database.service)
