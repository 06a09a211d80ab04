"""A filter's JSON: what it takes, and what it answers to the rest."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from memcubed.errors import InvalidRequestError
from memcubed.filters import Filters, parse_filter
from memcubed.filters.model import All, AnyOf, Column, ColumnIs, Comparison, InfoCompares, InfoIs, Moment, TimeCompares
from memcubed.filters.request import MAX_CONDITIONS, MAX_DEPTH, MAX_VALUES, SOURCE_ROLES
from memcubed.memories.model import SourceRole
from memcubed.store.cubes import CubeKind

NOW = datetime(2025, 12, 12, 4, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def parse(body: object) -> Filters:
    return parse_filter(body, zone=SHANGHAI, now=NOW)


def refused(body: object) -> tuple[int, str]:
    with pytest.raises(InvalidRequestError) as caught:
        parse(body)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize("body", [None, {}, {"user": {}}, {"scene": None}])
def test_nothing_asked_for_leaves_nothing_out(body: object) -> None:
    assert parse(body).is_empty
    assert parse(body).of(CubeKind.USER) is None


def test_one_object_holds_for_every_source() -> None:
    condition = ColumnIs(Column.AGENT_ID, ("a",))
    assert all(parse({"agent_id": "a"}).of(kind) == condition for kind in CubeKind)


def test_a_source_that_is_not_named_gets_no_filter() -> None:
    filters = parse({"user": {"scene": "chat"}, "knowledgebase": {"scene": ["a", "b"]}})
    assert filters.of(CubeKind.USER) == InfoIs("scene", ("chat",))
    assert filters.of(CubeKind.KNOWLEDGE_BASE) == InfoIs("scene", ("a", "b"))
    assert filters.of(CubeKind.PUBLIC) is None
    assert filters.of(CubeKind.AGENT) is None
    assert not filters.is_empty


def test_every_key_of_an_object_has_to_hold() -> None:
    scene, price = InfoIs("scene", ("chat",)), InfoCompares("price", Comparison.AT_LEAST, 5)
    assert parse({"scene": "chat", "price": {"gte": 5}}).of(CubeKind.USER) == All((scene, price))
    assert parse({"and": [{"scene": "chat"}, {"price": {"gte": 5}}]}).of(CubeKind.USER) == All((scene, price))
    assert parse({"or": [{"scene": "chat"}, {"price": {"gte": 5}}]}).of(CubeKind.USER) == AnyOf((scene, price))


def test_a_source_s_name_can_be_a_field_of_info() -> None:
    assert parse({"user": "ada"}).of(CubeKind.PUBLIC) == InfoIs("user", ("ada",))
    assert parse({"info.user": {"gt": 1}}).of(CubeKind.PUBLIC) == InfoCompares("user", Comparison.MORE, 1)
    assert parse({"info.tags": "x"}).of(CubeKind.PUBLIC) == InfoIs("tags", ("x",))


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("2025-12-10", datetime(2025, 12, 9, 16, tzinfo=UTC)),
        ("2025-12-10 08:30:00.250", datetime(2025, 12, 10, 0, 30, 0, 250_000, tzinfo=UTC)),
        ("2025-12-10T08:30:00Z", datetime(2025, 12, 10, 8, 30, tzinfo=UTC)),
        (1765525947718, datetime(2025, 12, 12, 7, 52, 27, 718_000, tzinfo=UTC)),
        ("昨天", datetime(2025, 12, 10, 16, tzinfo=UTC)),
    ],
)
def test_times_come_in_every_form_of_requests(given: object, read: datetime) -> None:
    condition = parse({"create_time": {"gte": given}}).of(CubeKind.USER)
    assert condition == TimeCompares(Moment.CREATED, Comparison.AT_LEAST, read)


def test_the_source_roles_are_those_of_memories() -> None:
    assert tuple(SourceRole) == SOURCE_ROLES


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ([], "filter"),
        ("scene", "filter"),
        ({"user": {"scene": "a"}, "usr": {"scene": "b"}}, "filter.usr"),
        ({"user": {"scene": "a"}, "public": "b"}, "filter.public"),
        ({"usr": {"scene": "a"}}, "filter.usr.scene"),
        ({"and": {"scene": "a"}}, "filter.and"),
        ({"and": ["scene"]}, "filter.and[0]"),
        ({"or": [{"scene": "a"}, {"and": [{"price": {"ne": 3}}]}]}, "filter.or[1].and[0].price.ne"),
        ({"not": {"scene": "a"}}, "filter.not.scene"),
        ({"not": [{"scene": "a"}]}, "filter.not[0]"),
        ({"gte": 3}, "filter.gte"),
        ({"user": {"contains": "x"}}, "filter.user.contains"),
        ({"agent_id": {"contains": "a"}}, "filter.agent_id"),
        ({"agent_id": 3}, "filter.agent_id"),
        ({"agent_id": ["a", 3]}, "filter.agent_id[1]"),
        ({"related_id": ""}, "filter.related_id"),
        ({"source_role": "root"}, "filter.source_role"),
        ({"tags": "x"}, "filter.tags"),
        ({"tags": {"in": ["x"]}}, "filter.tags.in"),
        ({"tags": {"contains": "x", "like": "y"}}, "filter.tags.like"),
        ({"tags": {"contains": ["x"]}}, "filter.tags.contains"),
        ({"create_time": "2025-12-10"}, "filter.create_time"),
        ({"create_time": {"after": "2025-12-10"}}, "filter.create_time.after"),
        ({"update_time": {"gte": "no time"}}, "filter.update_time.gte"),
        ({"update_time": {"gte": True}}, "filter.update_time.gte"),
        ({"price": {"gte": "5"}}, "filter.price.gte"),
        ({"price": {"gte": True}}, "filter.price.gte"),
        ({"price": {"gte": 10**301}}, "filter.price.gte"),
        ({"price": {"gte": -(10**400)}}, "filter.price.gte"),
        ({"price": 10**400}, "filter.price"),
        ({"create_time": {"gte": 10**400}}, "filter.create_time.gte"),
        ({"price": [1, {"gte": 2}]}, "filter.price[1]"),
        ({"scene": {"contains": 5}}, "filter.scene.contains"),
        ({"scene": {"like": "x%"}}, "filter.scene.like"),
        ({"scene": "a\x00"}, "filter.scene"),
        ({"k" * 5000: {"like": "x"}}, "filter.kkk"),
    ],
)
def test_what_the_language_has_not_is_refused_with_its_place(body: object, names: str) -> None:
    code, message = refused(body)
    assert code == 40000
    assert message.startswith(names), message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"and": []}, "filter.and"),
        ({"or": [{"scene": "a"}, {}]}, "filter.or[1]"),
        ({"or": [{"scene": None}]}, "filter.or[0]"),
        ({"related_id": []}, "filter.related_id"),
        ({"scene": []}, "filter.scene"),
        ({"create_time": {}}, "filter.create_time"),
        ({"price": {}}, "filter.price"),
    ],
)
def test_empty_parts_are_refused_rather_than_guessed_at(body: object, names: str) -> None:
    code, message = refused(body)
    assert code == 40003
    assert message.startswith(names), message


def test_other_times_are_pointed_to_those_there_are() -> None:
    code, message = refused({"and": [{"created_at": {"gt": "2024-01-01"}}]})
    assert code == 40000
    assert message.startswith("filter.and[0].created_at.gt must be a number")
    assert "create_time and update_time" in message


def test_filters_are_bounded() -> None:
    nested: Any = {"scene": "a"}
    for _ in range(MAX_DEPTH - 1):
        nested = {"and": [nested]}
    assert not parse(nested).is_empty
    assert "too deep" in refused({"and": [nested]})[1]
    assert "one condition too many" in refused({"or": [{"scene": "a"}] * (MAX_CONDITIONS + 1)})[1]
    assert f"at most {MAX_VALUES}" in refused({"scene": ["a"] * (MAX_VALUES + 1)})[1]
