"""One cube's tasks are read in the order they came; different cubes' at the same time."""

import asyncio
import json
import re

from tests.conftest import StartService
from tests.support.api import Json, eventually
from tests.support.scripted_llm import ScriptedServer, after, echo_extraction, status_answer
from tests.support.settings import llm_settings


def first_turn(chat: Json) -> str:
    found = re.search(r"^<<<(\S+)\n(.*)\n\1>>>$", str(chat["messages"][-1]["content"]), re.DOTALL | re.MULTILINE)
    assert found is not None
    return str(json.loads(found.group(2))["turns"][0]["content"])


async def test_one_cubes_tasks_run_in_order_and_one_at_a_time(start: StartService) -> None:
    with ScriptedServer(lambda request: after(0.02, echo_extraction(request))) as llm:
        async with start(llm_settings(llm)) as api:
            client = await api.client()
            said = [f"I own boat {number}." for number in range(6)]
            tasks = [await client.add(text, conversation_id=text) for text in said]
            for task in tasks:
                assert (await client.finished(task["task_id"]))["status"] == "completed"
            assert [first_turn(chat) for chat in llm.chats] == said
            assert llm.most_in_flight == 1


async def test_a_task_that_is_tried_again_keeps_its_place(start: StartService) -> None:
    answers = iter([status_answer(500)] * 3)
    with ScriptedServer(lambda request: next(answers, None) or echo_extraction(request)) as llm:
        async with start(llm_settings(llm, task_backoff_seconds=0.2)) as api:
            client = await api.client()
            first = await client.add("I own boat 1.", conversation_id="1")
            second = await client.add("I own boat 2.", conversation_id="2")
            await client.finished(second["task_id"])
            assert (await client.status(first["task_id"]))["status"] == "completed"


async def test_different_cubes_run_at_the_same_time(start: StartService) -> None:
    with ScriptedServer(lambda request: after(0.5, echo_extraction(request))) as llm:
        async with start(llm_settings(llm, worker_concurrency=4)) as api:
            client = await api.client()
            tasks = [await client.add("I own boat 1.", user=f"user {number}") for number in range(4)]

            async def all_at_once() -> bool:
                return llm.most_in_flight == 4

            await eventually(all_at_once)
            await asyncio.gather(*[client.finished(task["task_id"]) for task in tasks])


async def test_a_worker_runs_no_more_jobs_at_once_than_it_was_told(start: StartService) -> None:
    with ScriptedServer(lambda request: after(0.3, echo_extraction(request))) as llm:
        async with start(llm_settings(llm, worker_concurrency=2)) as api:
            client = await api.client()
            tasks = [await client.add("I own boat 1.", user=f"user {number}") for number in range(8)]
            await asyncio.gather(*[client.finished(task["task_id"]) for task in tasks])
            assert llm.most_in_flight == 2
