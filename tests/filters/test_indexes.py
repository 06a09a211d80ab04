"""The four fields of `info` with indexes: marked whoever writes them, and looked up under row-level security."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from memcubed.bootstrap import DatabaseUrls
from memcubed.filters import compile_condition
from memcubed.filters.model import All, AnyOf, InfoCompares, InfoIs
from memcubed.filters.model import Comparison as Is
from memcubed.recall.ranking import Weights
from memcubed.recall.repository import search_parameters
from memcubed.recall.sql import SERVER_SETTINGS, filtered_search
from memcubed.settings import sqlalchemy_url
from memcubed.store.cubes import Cube, CubeKind
from tests.store.test_migrations import MIGRATIONS
from tests.support.databases import Databases, query

PROJECT = UUID(int=1)
CUBE = Cube(PROJECT, CubeKind.USER, "ada")
FIELDS = ("business_type", "biz_id", "scene", "custom_status")
LONG = "字" * 5000
INSERT = """
INSERT INTO memories (cube_id, id, project_id, kind, layer, status, key, value, index_text, source_role, words,
    word_count, info, confidence, conversation_id, extractor, fingerprint, told_at, created_at, updated_at)
SELECT %(cube)s, gen_random_uuid(), %(project)s, 'fact', 'LongTermMemory', 'activated', '', '', '', 'user', '', 0,
    jsonb_build_object(%(field)s::text, coalesce(%(value)s::jsonb, to_jsonb('no ' || n))), 1, '', 'test', '',
    now(), now(), now()
FROM generate_series(1, %(number)s) n
"""


def fill(connection: psycopg.Connection[Any], field: str, value: object, number: int = 1) -> None:
    given = None if value is None else json.dumps(value)
    values = {"cube": CUBE.id, "project": PROJECT, "field": field, "value": given, "number": number}
    connection.execute(INSERT, values)


def start(connection: psycopg.Connection[Any]) -> None:
    connection.execute("INSERT INTO projects (id, name, timezone) VALUES (%s, 'p', 'UTC')", (PROJECT,))
    connection.execute(
        "INSERT INTO cubes (id, project_id, kind, owner) VALUES (%s, %s, 'user', '')", (CUBE.id, PROJECT)
    )


@pytest.fixture(scope="module")
def filled(databases: Databases) -> Iterator[DatabaseUrls]:
    """A cube in which each field has a thousand values, and ten times some that are asked for."""
    with databases.migrated() as urls:
        with psycopg.connect(urls.owner, autocommit=True) as connection:
            start(connection)
            for field in FIELDS:
                fill(connection, field, None, 1000)
                for value in ("chat", ["chat", "x"], ["x"], LONG, LONG + "!", 5, "5"):
                    fill(connection, field, value, 10)
            connection.execute("VACUUM ANALYZE memories")
        yield urls


def explained(urls: DatabaseUrls, statement: str, parameters: dict[str, Any]) -> str:
    """How the service's role, which row-level security binds, would run a statement."""
    with psycopg.connect(urls.service) as connection:
        for name, value in {**SERVER_SETTINGS, "memcubed.project_id": str(PROJECT)}.items():
            connection.execute("SELECT set_config(%s, %s, true)", (name, value))
        plan = connection.execute(f"EXPLAIN (COSTS OFF) {statement}".encode(), parameters)
        return "\n".join(line for (line,) in plan)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", ["chat", LONG, "5", "nowhere"])
def test_an_index_finds_what_the_condition_means(filled: DatabaseUrls, field: str, value: str) -> None:
    compiled = compile_condition(InfoIs(field, (value,)))
    found = f"SELECT info ->> '{field}' FROM memories m WHERE m.cube_id = %(cube)s AND {compiled.sql}"
    parameters = {**compiled.parameters, "cube": CUBE.id}
    plan = explained(filled, found, parameters)
    assert f"memories_{field}_idx" in plan
    assert f"{field}_mark = ANY" in plan.partition("Filter:")[0]
    expected = {"chat": ["chat", '["chat", "x"]'], LONG: [LONG], "5": ["5"], "nowhere": []}[value]
    with psycopg.connect(filled.service) as connection:
        connection.execute("SELECT set_config('memcubed.project_id', %s, true)", (str(PROJECT),))
        rows = [value for (value,) in connection.execute(found.encode(), parameters)]
    assert sorted(rows) == sorted(expected * 10)


def test_a_search_looks_them_up_too(filled: DatabaseUrls) -> None:
    condition = All((InfoIs("scene", ("chat", "trip")), AnyOf((InfoIs("price", (1,)), InfoCompares("n", Is.LESS, 3)))))
    compiled = compile_condition(condition)
    parameters = search_parameters(PROJECT, [], frozenset(), vector=None, space="", terms=["city"], weights=Weights())
    statement = filtered_search([("filtered", compiled.sql)])
    plan = explained(filled, statement, {**parameters, **compiled.parameters, "filtered": [CUBE.id]})
    assert "memories_scene_idx" in plan


def test_marks_follow_what_is_written(filled: DatabaseUrls) -> None:
    with psycopg.connect(filled.owner) as connection:
        marks = "SELECT scene_mark FROM memories WHERE id = %s"
        id_ = connection.execute("SELECT id FROM memories WHERE info ->> 'scene' = 'chat'").fetchone()
        for info, mark in (
            ({"scene": "trip"}, "=trip"),
            ({"scene": ["trip"]}, "[]"),
            ({"scene": 5}, None),
            ({"other": "trip"}, None),
        ):
            connection.execute(
                "UPDATE memories SET info = %s WHERE id = %s", (json.dumps(info), id_[0] if id_ else None)
            )
            assert connection.execute(marks, id_).fetchone() == (mark,)
        connection.rollback()


def test_memories_from_before_are_marked(database: DatabaseUrls) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(sqlalchemy_url(database.owner))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0013")
        connection.commit()
        with psycopg.connect(database.owner) as driver:
            start(driver)
            fill(driver, "biz_id", "b1")
            fill(driver, "other", "b1")
        command.upgrade(config, "head")
        connection.commit()
    engine.dispose()
    marks = query(database.owner, "SELECT info ? 'biz_id', biz_id_mark, scene_mark FROM memories ORDER BY 1")
    assert marks == [(False, None, None), (True, "=b1", None)]
