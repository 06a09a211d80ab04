"""A language model that fails: the task is tried again, ends visibly, and nothing of what was said is lost."""

import pytest
from structlog.testing import capture_logs

from tests.conftest import StartService
from tests.support.api import Client, Json, eventually
from tests.support.scripted_llm import (
    Answer,
    ScriptedServer,
    after,
    api_error,
    drop_connection,
    echo_extraction,
    json_answer,
    refusal,
    status_answer,
    text_answer,
)
from tests.support.settings import llm_settings


class Failing:
    """Fails a number of times, then works."""

    def __init__(self, times: int, answer: Answer) -> None:
        self.left = times
        self.answer = answer

    def __call__(self, request: Json) -> Answer:
        self.left -= 1
        return self.answer if self.left >= 0 else echo_extraction(request)


async def ended(client: Client) -> Json:
    task = await client.add("I play the cello.")
    return await client.finished(task["task_id"])


@pytest.mark.parametrize(
    "answer",
    [
        status_answer(429, retry_after="0"),
        status_answer(500),
        drop_connection(),
        text_answer("I think the user likes music!"),
        json_answer({"memories": "none"}),
        status_answer(200, b"no JSON at all"),
    ],
    ids=["rate limit", "error", "no answer", "prose", "wrong form", "broken"],
)
async def test_a_model_that_recovers_completes_the_task_once(start: StartService, answer: Answer) -> None:
    with ScriptedServer(Failing(4, answer)) as llm:
        async with start(llm_settings(llm)) as api:
            client = await api.client()
            done = await ended(client)
            assert (done["status"], done["reason"]) == ("completed", None)
            assert done["memory_views"] == {"detail_factual": {"added": 1}}
            assert len(await client.values("cello")) == 1


async def test_a_slow_model_is_given_up_on_and_asked_again(start: StartService) -> None:
    slow = Failing(1, after(3, json_answer({"memories": []})))
    with ScriptedServer(slow) as llm:
        async with start(llm_settings(llm, llm_timeout_seconds=0.3)) as api:
            assert (await ended(await api.client()))["status"] == "completed"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status_answer(429, retry_after="0"), "429"),
        (status_answer(500), "500"),
        (drop_connection(), "cannot be reached"),
        (text_answer("never JSON"), "no usable answer"),
    ],
    ids=["rate limit", "error", "no answer", "rubbish"],
)
async def test_a_model_that_stays_broken_fails_the_task_with_the_reason(
    start: StartService, answer: Answer, reason: str
) -> None:
    with ScriptedServer(answer) as llm:
        async with start(llm_settings(llm, task_attempts=2)) as api:
            client = await api.client()
            done = await ended(client)
            assert (done["status"], done["memory_views"]) == ("failed", {})
            assert reason in done["reason"]
            await still_there(client)


async def still_there(client: Client) -> None:
    (memory,) = (await client.search("cello"))["memory_detail_list"]
    assert "mode:fast" in memory["tags"]
    assert [message["content"] for message in await client.messages()] == ["I play the cello."]


async def test_the_tries_are_bounded(start: StartService) -> None:
    with ScriptedServer(text_answer("never JSON")) as llm:
        async with start(llm_settings(llm, task_attempts=3)) as api:
            await ended(await api.client())
            assert len(llm.chats) == 3 * 2  # each try asks once, and once more to repair the answer


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (api_error(401, "Incorrect API key provided: sk-secret-key"), "401"),
        (api_error(403, "no"), "403"),
        (api_error(404, "no such model"), "404"),
        (refusal(), "refused"),
    ],
    ids=["key", "permission", "model", "refusal"],
)
async def test_what_can_not_get_better_fails_at_once(start: StartService, answer: Answer, reason: str) -> None:
    with ScriptedServer(answer) as llm:
        async with start(llm_settings(llm, task_backoff_seconds=300)) as api:
            client = await api.client()
            done = await ended(client)
            assert done["status"] == "failed"
            assert reason in done["reason"]
            assert "sk-secret-key" not in done["reason"]
            await still_there(client)


async def test_while_it_is_tried_again_the_reason_is_visible(start: StartService) -> None:
    with ScriptedServer(status_answer(500)) as llm:
        async with start(llm_settings(llm, task_backoff_seconds=300)) as api:
            client = await api.client()
            task = await client.add("I play the cello.")

            async def told() -> Json | None:
                status = await client.status(task["task_id"])
                return status if status["reason"] else None

            status = await eventually(told)
            assert status["status"] == "running"
            assert "500" in status["reason"]
            await still_there(client)


async def test_one_share_that_fails_fails_the_task_and_keeps_the_others(start: StartService) -> None:
    with ScriptedServer(Failing(1, status_answer(401))) as llm:
        async with start(llm_settings(llm, worker_concurrency=1)) as api:
            client = await api.client()
            task = await client.add("I play the cello.", user=None, user_id=["ann", "ben"])
            done = await client.finished(task["task_id"])
            assert done["status"] == "failed"
            assert done["memory_views"] == {"detail_factual": {"added": 1}}
            assert "401" in done["reason"]
            for user in ("ann", "ben"):
                assert await client.values("cello", user=user)


async def test_the_next_task_of_a_cube_runs_after_a_failed_one(start: StartService) -> None:
    with ScriptedServer(Failing(1, status_answer(401))) as llm:
        async with start(llm_settings(llm)) as api:
            client = await api.client()
            first = await client.add("I play the cello.")
            second = await client.add("I collect stamps.")
            assert (await client.finished(first["task_id"]))["status"] == "failed"
            assert (await client.finished(second["task_id"]))["status"] == "completed"


async def test_shares_that_end_at_the_same_moment_do_not_lock_each_other_out(client: Client) -> None:
    users = [f"user {number}" for number in range(8)]
    with capture_logs() as logs:
        for number in range(4):
            task = await client.add(f"I own {number} boats.", user=None, user_id=users)
            assert (await client.finished(task["task_id"]))["status"] == "completed"
    assert [log for log in logs if log["event"] == "share_failed"] == []
