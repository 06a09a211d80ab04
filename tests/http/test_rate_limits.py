"""Rate limits, with buckets so small that a few calls fill them, and so slow that none flows back meanwhile."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from memcubed.projects.keys import hash_key
from memcubed.projects.limits import Bucket
from memcubed.projects.refusals import FailedKeys
from tests.conftest import StartService
from tests.support.api import Answer, Api, Client
from tests.support.databases import query
from tests.support.settings import make_settings

SLOW = 0.01  # a request every 100 seconds
SEARCH = {"user_id": "u", "query": "x"}


async def asked(client: Client, times: int, path: str = "/search/memory") -> list[Answer]:
    return [await client.send(path, SEARCH) for _ in range(times)]


def codes(answers: Iterable[Answer]) -> list[int]:
    return [answer.code for answer in answers]


async def test_a_burst_is_let_through_and_no_more(start: StartService) -> None:
    async with start(make_settings(requests_per_second=SLOW, request_burst=3), worker=False) as api:
        client = await api.client()
        answers = await asked(client, 5)
        assert codes(answers) == [0, 0, 0, 40309, 40309]
        refused = answers[-1]
        assert refused.status == 429
        assert 90 <= int(refused.headers["retry-after"]) <= 100
        assert f"try again in {refused.headers['retry-after']} s" in refused.message


async def test_answers_tell_how_many_requests_are_left(start: StartService) -> None:
    async with start(make_settings(requests_per_second=SLOW, request_burst=3), worker=False) as api:
        client = await api.client()
        answers = await asked(client, 4)
        assert [answer.headers["ratelimit-limit"] for answer in answers] == ["3"] * 4
        assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
        resets = [int(answer.headers["ratelimit-reset"]) for answer in answers]
        for reset, full in zip(resets, (100, 200, 300, 300), strict=True):
            assert full - 10 <= reset <= full
        failed = await (await api.client()).send("/search/memory", {})
        assert failed.code == 40002
        assert failed.headers["ratelimit-remaining"] == "2"


async def test_requests_flow_back(start: StartService) -> None:
    async with start(make_settings(requests_per_second=10, request_burst=1), worker=False) as api:
        client = await api.client()
        assert 0 in codes(await asked(client, 1))
        await asyncio.sleep(0.15)
        assert codes(await asked(client, 1)) == [0]


async def test_every_route_counts_and_each_project_for_itself(start: StartService) -> None:
    async with start(make_settings(requests_per_second=SLOW, request_burst=2), worker=False) as api:
        client, other = await api.client(), await api.client()
        await client.add("I keep bees.")
        await client.messages()
        assert codes(await asked(client, 1)) == [40309]
        assert codes(await asked(client, 1, "/get/status")) == [40309]
        assert codes(await asked(other, 1)) == [0]


async def test_all_keys_of_a_project_share_its_limit(start: StartService) -> None:
    async with start(make_settings(requests_per_second=SLOW, request_burst=2), worker=False) as api:
        one, two = await api.client("shared"), await api.client("shared")
        assert codes([*await asked(one, 1), *await asked(two, 2)]) == [0, 0, 40309]


async def test_two_services_on_one_database_agree(start: StartService) -> None:
    settings = make_settings(requests_per_second=SLOW, request_burst=10)
    async with start(settings, worker=False) as one, start(settings, urls=one.urls, worker=False) as two:
        client = await one.client()
        clients = [Client(api.http, client.key) for api in (one, two)]
        answers = await asyncio.gather(*(clients[number % 2].send("/search/memory", SEARCH) for number in range(30)))
        assert codes(answers).count(0) == 10


async def test_without_a_limit_nothing_is_counted(start: StartService) -> None:
    async with start(make_settings(requests_per_second=0, request_burst=1, tokens_per_minute=0), worker=False) as api:
        client = await api.client()
        answers = await asked(client, 20)
        assert set(codes(answers)) == {0}
        assert "ratelimit-limit" not in answers[0].headers
        assert query(api.urls.owner, "SELECT count(*) FROM project_rates") == [(0,)]


async def test_input_tokens_are_limited(start: StartService) -> None:
    async with start(make_settings(tokens_per_minute=100), worker=False) as api:
        client = await api.client()
        await client.add("春" * 60)
        refused = await client.send("/search/memory", {"user_id": "u", "query": "春" * 60})
        assert (refused.status, refused.code) == (429, 40309)
        assert "100 input tokens a minute" in refused.message
        assert 1 <= int(refused.headers["retry-after"]) <= 12
        assert (await client.send("/search/memory", {"user_id": "u", "query": "春" * 30})).code == 0
        assert (await (await api.client()).send("/search/memory", {"user_id": "u", "query": "春" * 60})).code == 0


async def test_a_refused_add_stores_nothing_and_costs_nothing(start: StartService) -> None:
    async with start(make_settings(tokens_per_minute=100), worker=False) as api:
        client = await api.client()
        await client.add("春" * 60, conversation_id="c")
        for _ in range(5):
            body = {"user_id": "u", "conversation_id": "c", "messages": [{"role": "user", "content": "夏" * 60}]}
            assert (await client.send("/add/message", body)).code == 40309
        assert len(await client.messages("c")) == 1
        assert (await client.send("/search/memory", {"user_id": "u", "query": "春" * 38})).code == 0


async def test_a_call_larger_than_a_minutes_tokens_is_paid_for_afterwards(start: StartService) -> None:
    async with start(make_settings(tokens_per_minute=100), worker=False) as api:
        client = await api.client()
        await client.add("春" * 1000)
        refused = await client.send("/search/memory", SEARCH)
        assert refused.code == 40309
        assert 530 <= int(refused.headers["retry-after"]) <= 600


async def test_two_services_agree_on_tokens_within_a_hundredth_each(start: StartService) -> None:
    settings = make_settings(tokens_per_minute=2000)
    async with start(settings, worker=False) as one, start(settings, urls=one.urls, worker=False) as two:
        client = await one.client()
        clients = [Client(api.http, client.key) for api in (one, two)]
        body = {"user_id": "u", "query": "春" * 150}
        answers = await asyncio.gather(*(clients[number % 2].send("/search/memory", body) for number in range(30)))
        # 13 without a reserve; each service may keep 20 tokens for what comes next, and some flow back meanwhile
        assert 12 <= codes(answers).count(0) <= 14


async def test_wrong_keys_are_limited_by_address(start: StartService) -> None:
    async with start(make_settings(failed_keys_per_minute=3), worker=False) as api:
        good, wrong = await api.client(), Client(api.http, "mc-00000000-wrong")
        await good.search("x")
        assert codes(await asked(wrong, 5)) == [40132, 40132, 40132, 40309, 40309]
        refused = await wrong.send("/search/memory", SEARCH)
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        await good.search("x")  # it has worked before, so it is let through


async def test_wrong_keys_are_logged_by_address_without_the_key(api: Api) -> None:
    wrong = Client(api.http, f"mc-00000000-{uuid4().hex}")
    with capture_logs() as logged:
        await wrong.send("/search/memory", SEARCH)
    refused = [line for line in logged if line["event"] == "key_refused"]
    assert [line["address"] for line in refused] == ["127.0.0.1"]
    assert "mc-00000000" not in str(logged)


async def test_refusals_are_in_the_metrics(start: StartService) -> None:
    settings = make_settings(requests_per_second=SLOW, request_burst=2, tokens_per_minute=10, failed_keys_per_minute=1)
    async with start(settings, worker=False) as api:
        client = await api.client()
        await client.send("/search/memory", {"user_id": "u", "query": "春" * 9})
        await client.send("/search/memory", {"user_id": "u", "query": "春" * 9})
        await asked(client, 1)
        await asked(Client(api.http, "wrong"), 2)
        assert refusals(api) == {"requests": 1.0, "tokens": 1.0, "failed_keys": 1.0}


def refusals(api: Api) -> dict[str, float]:
    return {
        sample.labels["limit"]: sample.value
        for metric in api.service.registry.collect()
        for sample in metric.samples
        if sample.name == "memcubed_limit_refusals_total"
    }


@given(st.integers(1, 1000), st.floats(0.01, 10_000))
def test_a_full_bucket_holds_as_many_as_it_says(capacity: int, per_second: float) -> None:
    bucket = Bucket(capacity, per_second=per_second)
    assert bucket.read(0).remaining == capacity
    assert bucket.time_of(1) * capacity == bucket.room
    assert bucket.room > timedelta(0)
    assert bucket.read(bucket.room.total_seconds()).remaining == 0
    assert bucket.wait_seconds(bucket.room.total_seconds()) >= 1


class FakeClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("one", "other", "are_the_same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("testclient", "testclient", True),
    ],
)
def test_an_address_is_a_network_for_ipv6(one: str, other: str, are_the_same: bool) -> None:  # noqa: FBT001 - a case
    failed = FailedKeys(1, FakeClock())
    failed.add_failure(one, hash_key("a"))
    assert (failed.wait_seconds(other, hash_key("b")) > 0) is are_the_same


def test_failures_are_forgotten_evenly() -> None:
    clock = FakeClock()
    failed = FailedKeys(6, clock)
    for _ in range(6):
        assert failed.wait_seconds("a", "key") == 0
        failed.add_failure("a", "key")
    assert failed.wait_seconds("a", "key") == 10
    clock.now = 9.5
    assert failed.wait_seconds("a", "key") == 1
    clock.now = 10
    assert failed.wait_seconds("a", "key") == 0


def test_a_key_that_was_good_and_is_wrong_now_counts_as_any_other() -> None:
    failed = FailedKeys(1, FakeClock())
    key = uuid4().hex
    failed.add_success(key)
    failed.add_failure("a", key)
    assert failed.wait_seconds("a", key) > 0
