"""A request takes effect once, however often it is sent: by key, or by its body while it is running."""

import asyncio
from typing import Any

import pytest

from tests.conftest import StartService
from tests.support.api import Api, Client
from tests.support.scripted_llm import ScriptedServer, status_answer
from tests.support.settings import llm_settings

BODY: dict[str, Any] = {"user_id": "u", "messages": [{"role": "user", "content": "I play the cello."}]}


async def add(client: Client, *, key: str | None = None, **changes: object) -> dict[str, Any]:
    headers = {} if key is None else {"Idempotency_Key": key}
    data: dict[str, Any] = await client.post("/add/message", {**BODY, **changes}, **headers)
    return data


async def test_a_key_takes_effect_once_and_for_all(client: Client) -> None:
    first = await add(client, key="k")
    await client.finished(first["task_id"])
    again = await add(client, key="k")
    assert again == {"success": True, "task_id": first["task_id"], "status": "completed"}
    assert len(await client.messages()) == 1


async def test_different_keys_are_different_requests(client: Client) -> None:
    assert (await add(client, key="k1"))["task_id"] != (await add(client, key="k2"))["task_id"]
    assert len(await client.messages()) == 2


async def test_a_key_with_another_body_is_a_conflict(client: Client) -> None:
    await add(client, key="k")
    answer = await client.send("/add/message", {**BODY, "conversation_id": "other"}, Idempotency_Key="k")
    assert (answer.status, answer.code) == (409, 40000)
    assert "Idempotency-Key" in answer.message
    assert len(await client.messages("other")) == 0


@pytest.mark.parametrize(
    "changes", [{"async_mode": False}, {"async_mode": None}, {"tags": None}, {"source": "sdk"}], ids=str
)
async def test_what_changes_nothing_is_the_same_body(client: Client, changes: dict[str, Any]) -> None:
    assert (await add(client, key="k"))["task_id"] == (await add(client, key="k", **changes))["task_id"]


async def test_a_key_is_a_projects_own(api: Api, client: Client) -> None:
    other = await api.client()
    assert (await add(client, key="k"))["task_id"] != (await add(other, key="k"))["task_id"]
    assert len(await other.messages()) == 1


@pytest.mark.parametrize("key", ["k", None])
async def test_twenty_at_once_take_effect_once(start: StartService, key: str | None) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        tasks = await asyncio.gather(*[add(client, key=key) for _ in range(20)])
        assert len({task["task_id"] for task in tasks}) == 1
        assert {task["status"] for task in tasks} == {"running"}
        assert len(await client.messages()) == 1
        assert len(await client.values("cello")) == 1


async def test_without_a_key_a_repeat_of_a_running_request_gets_its_task(start: StartService) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        first = await add(client)
        assert await add(client) == first
        assert (await add(client, conversation_id="other"))["task_id"] != first["task_id"]
        assert (await add(client, user_id="v"))["task_id"] != first["task_id"]
        assert len(await client.messages()) == 1


async def test_without_a_key_a_repeat_after_the_end_is_a_new_request(client: Client) -> None:
    first = await add(client)
    await client.finished(first["task_id"])
    second = await add(client)
    assert second["task_id"] != first["task_id"]
    assert len(await client.messages()) == 2
    done = await client.finished(second["task_id"])
    assert done["memory_views"] == {}
    assert done["reason"]


async def test_a_request_that_failed_may_be_repeated(start: StartService) -> None:
    with ScriptedServer(status_answer(401)) as llm:
        async with start(llm_settings(llm)) as api:
            client = await api.client()
            first = await add(client, async_mode=False)
            assert first["status"] == "failed"
            assert await add(client, key="k", async_mode=False) != first
            second = await add(client, async_mode=False)
            assert second["task_id"] != first["task_id"]
