"""What get/status says of a task: its receipt, or why it failed."""

from uuid import uuid4

import pytest

from tests.support.api import Api, Client


async def test_the_receipt_counts_what_was_added_by_kind(client: Client) -> None:
    task = await client.add("I moved to Rome. I like green tea. I never eat pork.")
    done = await client.finished(task["task_id"])
    assert set(done) == {"task_id", "status", "memory_views", "reason"}
    assert done["task_id"] == task["task_id"]
    found = await client.search("Rome tea pork", preference_limit_number=25, memory_limit_number=25)
    assert done["memory_views"] == {
        "detail_factual": {"added": len(found["memory_detail_list"])},
        "preference": {"added": len(found["preference_detail_list"])},
    }
    assert done["reason"] is None


@pytest.mark.parametrize("said", ["Hello!", "你好", "Thanks a lot, bye"])
async def test_small_talk_gives_a_reason_instead(client: Client, said: str) -> None:
    done = await client.finished((await client.add(said))["task_id"])
    assert (done["status"], done["memory_views"]) == ("completed", {})
    assert done["reason"]


async def test_shares_of_one_task_are_counted_together(client: Client) -> None:
    text = "I moved to Rome."
    alone = await client.finished((await client.add(text, user="a"))["task_id"])
    together = await client.finished((await client.add(text, user=None, user_id=["b", "c"]))["task_id"])
    added = alone["memory_views"]["detail_factual"]["added"]
    assert together["memory_views"]["detail_factual"]["added"] >= 2 * added


@pytest.mark.parametrize("task_id", ["8b5f1b0e-9a39-4d3a-8f57-3f4d6a4c2f10", "nonsense", "0", "x" * 5000, "任务"])
async def test_an_unknown_task_does_not_exist(client: Client, task_id: str) -> None:
    answer = await client.send("/get/status", {"task_id": task_id})
    assert (answer.status, answer.code) == (404, 50131)
    assert len(answer.message) < 200


async def test_a_foreign_task_looks_exactly_like_none(api: Api, client: Client) -> None:
    foreign = (await client.add("hello"))["task_id"]
    unknown = str(uuid4())
    other = await api.client()
    answers = [await other.send("/get/status", {"task_id": task_id}) for task_id in (foreign, unknown)]
    assert answers[0].message.replace(foreign, "") == answers[1].message.replace(unknown, "")
    assert (answers[0].status, answers[0].code) == (answers[1].status, answers[1].code) == (404, 50131)
