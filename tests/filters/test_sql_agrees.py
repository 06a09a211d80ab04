"""SQL and plain Python agree on which memories a filter leaves, whatever the filter and the memories."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from memcubed.errors import InvalidRequestError
from memcubed.filters import Condition, compile_condition, matching, parse_filter
from memcubed.settings import sqlalchemy_url
from memcubed.store.cubes import Cube, CubeKind
from memcubed.store.tables import memories
from tests.filters.evaluation import Memory, matches
from tests.support.databases import Databases

PROJECT = UUID(int=1)
CUBE = Cube(PROJECT, CubeKind.USER, "ada")
START = datetime(2025, 12, 10, 8, tzinfo=UTC)
NUMBER_OF_MEMORIES = 400

HOSTILE = (
    "'",
    "'; DROP TABLE memories; --",
    '"',
    "%s",
    "%(filter_0)s",
    ":filter_0",
    "$1",
    "\\",
    "{}",
    "a|b",
    "🀄",
    "名字",
)
IDS = ("a", "b", "A", *HOSTILE[:3])
TEXTS = ("chat", "Chat", "chat room", "5", "true", "null", *HOSTILE)
NUMBERS: tuple[int | float, ...] = (0, 5, 5.0, -1, 0.1, 5.000001, 2**53 + 1, 1e300, -1e-300)
NAMES = ("scene", "business_type", "biz_id", "custom_status", "price", "user", *HOSTILE)
ROLES = ("user", "feedback", "system", "assistant", "document", "tool")
TIMES = [START + timedelta(microseconds=step) for step in (0, 1, 999, 1000, 1500, 2000, 86_400_000_000)]

INSERT = """
INSERT INTO memories (cube_id, id, project_id, kind, layer, status, key, value, index_text, source_role, words,
    word_count, tags, info, related_ids, confidence, conversation_id, app_id, agent_id, extractor, fingerprint,
    told_at, created_at, updated_at)
VALUES (%s, %s, %s, 'fact', 'LongTermMemory', 'activated', '', '', '', %s, '', 0, %s, %s, %s, 1, %s, %s, %s, 'test',
    '', %s, %s, %s)
"""


def random_memory(source: random.Random) -> Memory:
    def some(values: tuple[str, ...]) -> list[str]:
        return source.sample(values, source.randint(0, 3))

    def value() -> Any:  # noqa: ANN401 - JSON
        return source.choice(
            [source.choice(TEXTS[:3]), source.choice(TEXTS), source.choice(NUMBERS), some(TEXTS), source.random() < 0.5]
        )

    return Memory(
        id=UUID(int=source.getrandbits(128)),
        agent_id=source.choice((None, *IDS)),
        app_id=source.choice((None, *IDS)),
        conversation_id=source.choice(IDS),
        source_role=source.choice(ROLES),
        related_ids=some(IDS),
        tags=some(TEXTS),
        info={name: value() for name in source.sample(NAMES, source.randint(0, 8))},
        created_at=source.choice(TIMES),
        updated_at=source.choice(TIMES),
    )


class Stored:
    """Memories in a table, asked for as the service does."""

    def __init__(self, url: str, held: list[Memory]) -> None:
        self.held = held
        self._driver = psycopg.connect(url, autocommit=True)
        self._driver.execute("SELECT set_config('memcubed.project_id', %s, false)", (str(PROJECT),))
        self._engine = create_engine(sqlalchemy_url(url))
        self._alchemy = self._engine.connect()
        self._alchemy.exec_driver_sql(f"SELECT set_config('memcubed.project_id', '{PROJECT}', false)")

    def by_driver(self, condition: Condition) -> set[UUID]:
        compiled = compile_condition(condition)
        statement = f"SELECT m.id FROM memories m WHERE m.cube_id = %(cube)s AND {compiled.sql}"
        return {row[0] for row in self._driver.execute(statement.encode(), {**compiled.parameters, "cube": CUBE.id})}

    def by_alchemy(self, condition: Condition) -> set[UUID]:
        statement = select(memories.c.id).where(memories.c.cube_id == CUBE.id, matching(condition))
        return set(self._alchemy.execute(statement).scalars())

    def close(self) -> None:
        self._driver.close()
        self._alchemy.close()
        self._engine.dispose()


@pytest.fixture(scope="module")
def stored(databases: Databases) -> Iterator[Stored]:
    source = random.Random(7)  # noqa: S311 - the same memories at every run
    held = [random_memory(source) for _ in range(NUMBER_OF_MEMORIES)]
    with databases.migrated() as urls:
        with psycopg.connect(urls.owner) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO projects (id, name, timezone) VALUES (%s, 'p', 'UTC')", (PROJECT,))
            cursor.execute(
                "INSERT INTO cubes (id, project_id, kind, owner) VALUES (%s, %s, 'user', 'ada')", (CUBE.id, PROJECT)
            )
            cursor.executemany(INSERT, [row(memory) for memory in held])
        stored = Stored(urls.service, held)
        yield stored
        stored.close()


def row(memory: Memory) -> tuple[object, ...]:
    return (
        CUBE.id,
        memory.id,
        PROJECT,
        memory.source_role,
        memory.tags,
        json.dumps(memory.info),
        memory.related_ids,
        memory.conversation_id,
        memory.app_id,
        memory.agent_id,
        memory.created_at,
        memory.created_at,
        memory.updated_at,
    )


def parsed(body: object) -> Condition:
    condition = parse_filter(body, zone=ZoneInfo("UTC"), now=START).of(CubeKind.USER)
    assert condition is not None
    return condition


def one_or_more(values: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(values), st.lists(st.sampled_from(values), min_size=1, max_size=3))


COMPARISONS = st.sampled_from(("lt", "gt", "lte", "gte"))
MOMENTS = st.one_of(
    st.sampled_from(TIMES).map(datetime.isoformat),
    st.sampled_from(TIMES).map(lambda time: int(time.timestamp() * 1000)),
)
TIME_CONDITIONS = st.dictionaries(COMPARISONS, MOMENTS, min_size=1, max_size=2)
INFO_CONDITIONS = st.one_of(
    one_or_more((*TEXTS, *NUMBERS, True, False)),
    st.dictionaries(COMPARISONS, st.sampled_from(NUMBERS), min_size=1, max_size=2),
    st.fixed_dictionaries({"contains": st.sampled_from((*TEXTS, "c", "hat"))}),
)
LEAVES = st.one_of(
    st.sampled_from(("agent_id", "app_id", "conversation_id", "related_id")).flatmap(
        lambda name: st.fixed_dictionaries({name: one_or_more(IDS)})
    ),
    st.fixed_dictionaries({"source_role": one_or_more(ROLES)}),
    st.fixed_dictionaries({"tags": st.fixed_dictionaries({"contains": st.sampled_from(TEXTS)})}),
    st.sampled_from(("create_time", "update_time")).flatmap(
        lambda name: st.fixed_dictionaries({name: TIME_CONDITIONS})
    ),
    st.sampled_from(NAMES).flatmap(lambda name: st.fixed_dictionaries({f"info.{name}": INFO_CONDITIONS})),
    st.dictionaries(
        st.sampled_from([name for name in NAMES if name != "user"]), INFO_CONDITIONS, min_size=1, max_size=2
    ),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.sampled_from(("and", "or")).flatmap(
        lambda word: st.fixed_dictionaries({word: st.lists(inner, min_size=1, max_size=3)})
    ),
    max_leaves=6,
)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(body=FILTERS)
def test_whatever_the_filter(stored: Stored, body: dict[str, Any]) -> None:
    condition = parsed(body)
    expected = {memory.id for memory in stored.held if matches(body, memory)}
    assert stored.by_driver(condition) == expected
    assert stored.by_alchemy(condition) == expected


KEYS = st.sampled_from(
    ("and", "or", "not", "user", "public", "agent_id", "related_id", "source_role", "tags", "create_time", "scene",
     "gte", "contains", "", "info.", *HOSTILE)
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from((*HOSTILE, "2025-12-10"))
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(body=st.dictionaries(KEYS, JSON, max_size=3))
def test_whatever_is_sent_is_refused_or_runs(stored: Stored, body: dict[str, Any]) -> None:
    try:
        filters = parse_filter(body, zone=ZoneInfo("UTC"), now=START)
    except InvalidRequestError:
        return
    for condition in filters.conditions.values():
        assert stored.by_driver(condition) == stored.by_alchemy(condition)


@pytest.mark.parametrize(
    "body",
    [
        {"agent_id": "a"},
        {"app_id": ["a", "b"]},
        {"conversation_id": "'"},
        {"related_id": ["a", "A"]},
        {"source_role": "tool"},
        {"tags": {"contains": "chat room"}},
        {"create_time": {"gt": "2025-12-10T08:00:00Z"}},
        {"update_time": {"lte": "2025-12-10T08:00:00.001Z"}},
        {"scene": "chat"},
        {"price": 5},
        {"price": {"gt": 0.1}},
        {"scene": {"contains": "hat"}},
        {"'; DROP TABLE memories; --": "'; DROP TABLE memories; --"},
    ],
)
def test_each_condition_leaves_some_and_not_all(stored: Stored, body: dict[str, Any]) -> None:
    left = stored.by_driver(parsed(body))
    assert left == {memory.id for memory in stored.held if matches(body, memory)}
    assert 0 < len(left) < NUMBER_OF_MEMORIES


def test_two_conditions_in_one_statement_keep_their_values(stored: Stored) -> None:
    one, other = parsed({"agent_id": "a"}), parsed({"app_id": "b"})
    statement = select(memories.c.id).where(matching(one), matching(other))
    found = set(stored._alchemy.execute(statement).scalars())  # noqa: SLF001 - its own class
    assert found == stored.by_driver(one) & stored.by_driver(other)
    parameters = [compile_condition(one, prefix="one").parameters, compile_condition(other, prefix="other").parameters]
    assert not parameters[0].keys() & parameters[1].keys()
