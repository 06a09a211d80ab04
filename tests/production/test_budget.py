"""What model calls cost is counted, and a budget that is spent puts extraction off without losing anything."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from memcubed.store.queue import wake_jobs
from memcubed.store.slots import DatabaseSlots
from tests.conftest import StartService
from tests.support.api import Api, Client, eventually
from tests.support.databases import query
from tests.support.models import model_server, model_settings
from tests.support.scripted_llm import (
    ScriptedServer,
    after,
    echo_extraction,
    json_answer,
    status_answer,
    text_answer,
)
from tests.support.settings import llm_settings, make_settings

SAID = "I moved to Lisbon last month."


@pytest.fixture
def server() -> Any:  # noqa: ANN401 - a generator fixture's value
    with ScriptedServer() as running:
        yield running


def spent(api: Api, table: str = "usage_days") -> list[tuple[Any, ...]]:
    return query(
        api.urls.owner,
        f"SELECT purpose, model, calls, input_tokens > 0, output_tokens > 0 FROM {table} ORDER BY purpose",
    )


async def project_of(api: Api, client: Client) -> UUID:
    ((project_id,),) = query(
        api.urls.owner, "SELECT project_id FROM api_keys WHERE prefix = %(prefix)s", prefix=client.key[:11]
    )
    return UUID(str(project_id))


async def waits(api: Api, task_id: str) -> int:
    ((count,),) = query(api.urls.owner, "SELECT sum(waits)::int FROM task_shares WHERE task_id = %(id)s", id=task_id)
    return int(count)


async def put_off(api: Api, task_id: str) -> None:
    async def is_put_off() -> bool:
        return await waits(api, task_id) > 0 and query(
            api.urls.owner,
            "SELECT status, scheduled_at > now() FROM procrastinate_jobs WHERE args ->> 'task_id' = %(id)s",
            id=task_id,
        ) == [("todo", True)]

    await eventually(is_put_off)


async def spend_all(client: Client) -> None:
    """Let one conversation spend a budget of one token."""
    task = await client.add(SAID, user="first")
    assert (await client.finished(task["task_id"]))["status"] == "completed"


async def test_an_extraction_is_counted_for_its_day_and_its_task(start: StartService, server: ScriptedServer) -> None:
    async with start(llm_settings(server)) as api:
        client = await api.client()
        await spend_all(client)
        assert spent(api) == [("extraction", "scripted", 1, True, True)]
        assert spent(api, "usage_tasks") == [("extraction", "scripted", 1, True, True)]


async def test_what_a_failed_try_cost_is_not_lost(start: StartService, server: ScriptedServer) -> None:
    server.answer_with([text_answer("no JSON"), text_answer("still none"), json_answer({"memories": []})])
    async with start(llm_settings(server)) as api:
        client = await api.client()
        await spend_all(client)
        assert spent(api) == [("extraction", "scripted", 3, True, True)]


async def test_embeddings_are_counted_where_the_endpoint_says(start: StartService) -> None:
    def embed(body: dict[str, Any]) -> Any:  # noqa: ANN401 - a scripted answer
        data = [{"index": index, "embedding": [1.0, float(index + 1)]} for index in range(len(body["input"]))]
        return status_answer(200, {"data": data, "usage": {"prompt_tokens": 7}})

    with ScriptedServer(embedding_script=embed) as server:
        settings = make_settings(embedding_base_url=server.base_url, embedding_model="scripted")
        async with start(settings, worker=False) as api:
            client = await api.client()
            await client.search("x")
            await api.service.usage.write()
            assert query(api.urls.owner, "SELECT purpose, calls, input_tokens, output_tokens FROM usage_days") == [
                ("embedding", 1, 7, 0)
            ]


async def test_a_spent_budget_puts_extraction_off(start: StartService, server: ScriptedServer) -> None:
    async with start(llm_settings(server, daily_token_budget=1)) as api:
        client = await api.client()
        await spend_all(client)
        calls = len(server.chats)

        waiting = await client.add("I keep bees behind the barn.")
        assert waiting["status"] == "running"
        await put_off(api, waiting["task_id"])
        shown = await client.status(waiting["task_id"])
        assert shown["status"] == "running"
        assert "budget of 1 model tokens" in shown["reason"]
        assert await client.values("bees"), "what waits can be found"
        assert len(server.chats) == calls
        assert query(api.urls.owner, "SELECT max(attempts) FROM task_shares") == [(0,)]

        project_id = await project_of(api, client)
        query_none(api, "UPDATE projects SET daily_token_budget = 0 WHERE id = %(id)s", id=project_id)
        async with api.service.database.transaction(None) as connection:
            await wake_jobs(connection, project_id)
        done = await client.finished(waiting["task_id"])
        assert done["status"] == "completed"
        assert len(server.chats) == calls + 1


async def test_waiting_is_no_failed_try_however_often(start: StartService, server: ScriptedServer) -> None:
    async with start(llm_settings(server, daily_token_budget=1, task_attempts=1)) as api:
        client = await api.client()
        await spend_all(client)
        task = (await client.add("I keep bees."))["task_id"]
        project_id = await project_of(api, client)
        for count in range(1, 25):

            async def has_waited(count: int = count) -> bool:
                async with api.service.database.transaction(None) as connection:
                    await wake_jobs(connection, project_id)
                return await waits(api, task) >= count

            await eventually(has_waited)
        assert (await client.status(task))["status"] == "running"


async def test_another_projects_budget_is_its_own(start: StartService, server: ScriptedServer) -> None:
    async with start(llm_settings(server, daily_token_budget=1)) as api:
        await spend_all(await api.client())
        await spend_all(await api.client())


async def test_small_talk_needs_no_budget(start: StartService, server: ScriptedServer) -> None:
    async with start(llm_settings(server, daily_token_budget=1)) as api:
        client = await api.client()
        await spend_all(client)
        task = await client.add("Hello!", "Hi, how can I help?")
        assert (await client.finished(task["task_id"]))["status"] == "completed"


async def test_a_request_that_needs_the_model_is_refused_plainly(start: StartService, server: ScriptedServer) -> None:
    async with start(llm_settings(server, daily_token_budget=1)) as api:
        client = await api.client()
        await spend_all(client)
        answer = await client.send("/extract/memory", {"messages": [{"role": "user", "content": SAID}]})
        assert (answer.status, answer.code) == (429, 40304)
        assert "budget" in answer.message
        assert 1 <= int(answer.headers["retry-after"]) <= 86_400


@pytest.mark.parametrize("stream", [False, True])
async def test_chat_is_refused_plainly(start: StartService, server: ScriptedServer, stream: bool) -> None:  # noqa: FBT001 - a case
    async with start(llm_settings(server, daily_token_budget=1)) as api:
        client = await api.client()
        await spend_all(client)
        answer = await client.send(
            "/chat", {"user_id": "first", "conversation_id": "c", "query": "Where do I live?", "stream": stream}
        )
        assert (answer.status, answer.code) == (429, 40304)
        assert int(answer.headers["retry-after"]) >= 1


async def test_chat_and_feedback_are_counted_as_such(start: StartService, server: ScriptedServer) -> None:
    server.answer_with(text_answer("In Lisbon."))
    async with start(llm_settings(server, task_attempts=1)) as api:
        client = await api.client()
        asked = {"user_id": "u", "conversation_id": "c", "add_message_on_answer": False}
        await client.post("/chat", {**asked, "query": "Where do I live?"})
        task = await client.post("/add/feedback", {**asked, "feedback_content": "No, I live in Porto."})
        await client.finished(task["task_id"])
        await api.service.usage.write()
        purposes = {row[0]: row[2] for row in spent(api)}
        assert purposes["chat"] == 1
        assert purposes["feedback"] >= 1
        assert set(purposes) == {"chat", "feedback"}


async def test_an_image_waits_for_the_next_day(start: StartService, server: ScriptedServer) -> None:
    settings = llm_settings(server, vision_model="eyes", daily_token_budget=1)
    async with start(settings) as api:
        client = await api.client()
        await spend_all(client)
        pixel = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 40).decode()
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixel}"}}
        task = (await client.add({"role": "user", "content": [image]}))["task_id"]
        await put_off(api, task)
        assert (await client.status(task))["status"] == "running"
        async with api.service.database.transaction(None) as connection:
            project_id = await project_of(api, client)
            query_none(api, "UPDATE projects SET daily_token_budget = 0 WHERE id = %(id)s", id=project_id)
            await wake_jobs(connection, project_id)
        await client.finished(task)
        assert "vision" in {row[0] for row in spent(api)}


async def test_a_search_goes_on_without_rewriting(start: StartService) -> None:
    with model_server() as server:
        settings = make_settings(**model_settings(server), query_rewrite=True, daily_token_budget=1)
        async with start(settings) as api:
            client = await api.client()
            await spend_all(client)
            calls = len(server.chats)
            assert await client.values("Lisbon", user="first")
            assert len(server.chats) == calls


async def test_no_job_calls_a_model_when_nothing_has_changed(start: StartService) -> None:
    with model_server() as server:
        async with start(make_settings(**model_settings(server))) as api:
            client = await api.client()
            await spend_all(client)
            await idle(api)
            calls = len(server.requests)
            names = [name for name, task in api.service.queue.tasks.items() if name in periodic(api)]
            assert names
            for name in names:
                await api.service.queue.configure_task(name).defer_async(timestamp=0)
            await idle(api)
            assert len(server.requests) == calls


def periodic(api: Api) -> set[str]:
    return {task.task.name for task in api.service.queue.periodic_registry.periodic_tasks.values()}


async def idle(api: Api) -> None:
    async def is_idle() -> bool:
        return query(api.urls.owner, "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')") == [
            (0,)
        ]

    await eventually(is_idle)


async def test_calls_at_once_are_bounded_over_all_processes(start: StartService, server: ScriptedServer) -> None:
    server.answer_with(lambda request: after(0.05, echo_extraction(request)))
    settings = llm_settings(server, llm_total_concurrency=2, worker_concurrency=4)
    async with start(settings) as one, start(settings, urls=one.urls):
        client = await one.client()
        tasks = [await client.add(SAID, user=f"user {number}") for number in range(12)]
        for task in tasks:
            await client.finished(task["task_id"])
        assert server.most_in_flight == 2


@pytest.fixture
async def slots(api: Api) -> AsyncIterator[DatabaseSlots]:
    made = DatabaseSlots(api.urls.service, 1, CollectorRegistry())
    yield made
    await made.close()


async def test_a_place_is_free_again_when_its_process_is_gone(api: Api, slots: DatabaseSlots) -> None:
    other = DatabaseSlots(api.urls.service, 1, CollectorRegistry())
    async with slots.hold():
        waiting = asyncio.create_task(other.hold().__aenter__())
        await asyncio.sleep(0.3)
        assert not waiting.done()
        with psycopg.connect(api.urls.owner, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'memcubed model slots' AND datname = current_database()"
            )
        with pytest.raises(psycopg.OperationalError):
            await waiting  # its connection was ended as well
        async with other.hold():
            pass
    async with slots.hold():
        pass
    await other.close()


async def test_who_gives_up_waiting_leaves_no_place_taken(slots: DatabaseSlots) -> None:
    async def hold() -> None:
        async with slots.hold():
            await asyncio.sleep(0.01)

    for moment in range(20):
        task = asyncio.create_task(hold())
        await asyncio.sleep(moment / 2000)
        task.cancel()
        await asyncio.wait({task})
    async with asyncio.timeout(10), slots.hold():
        pass


def query_none(api: Api, statement: str, **parameters: object) -> None:
    with psycopg.connect(api.urls.owner) as connection:
        connection.execute(statement.encode(), parameters)
