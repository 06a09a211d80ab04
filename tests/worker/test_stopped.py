"""SIGTERM: what is in flight is answered, what runs is finished or given back, nothing is lost."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from memcubed.bootstrap import DatabaseUrls
from tests.conftest import StartService
from tests.support.api import PATIENCE_SECONDS, Answer, Client, eventually
from tests.support.databases import query
from tests.support.models import model_server, model_settings
from tests.support.process import database_settings, environment, new_key, serving, working
from tests.support.scripted_llm import ScriptedServer, after, echo_extraction
from tests.support.settings import llm_settings

SAID = "I keep bees behind the barn."


async def asked(llm: ScriptedServer) -> None:
    async def is_asked() -> bool:
        return bool(llm.chats)

    await eventually(is_asked)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
async def test_requests_in_flight_are_answered_and_jobs_finished(
    tmp_path: Path, database: DatabaseUrls, number: signal.Signals
) -> None:
    with model_server(lambda request: after(1, echo_extraction(request))) as llm:
        env = environment(tmp_path, **model_settings(llm), **database_settings(database))
        key = await new_key(env)
        async with serving(tmp_path, env) as (process, http):
            client = Client(http, key)
            adding = asyncio.create_task(client.add(SAID, async_mode=False))
            await asked(llm)
            left = await client.add("I collect stamps.", user="other")
            process.process.send_signal(number)
            task = await adding
            assert (task["success"], task["status"]) == (True, "completed")
            assert await asyncio.to_thread(process.process.wait, 60) == 0
        assert left["status"] == "running"
        statuses = query(database.owner, "SELECT status, count(*) FROM task_shares GROUP BY status")
        assert statuses == [("completed", 2)]
        assert query(database.owner, "SELECT id FROM procrastinate_workers") == []


@pytest.mark.slow
async def test_a_worker_gives_back_what_does_not_end_in_time(tmp_path: Path, database: DatabaseUrls) -> None:
    with model_server(lambda request: after(120, echo_extraction(request))) as llm:
        settings = {**model_settings(llm), **database_settings(database), "task_attempts": 1}
        env = environment(tmp_path, **settings)
        key = await new_key(env)
        async with serving(tmp_path, env, "--no-worker") as (_, http):
            client = Client(http, key)
            with working(tmp_path, env, name="first") as first:
                task = await client.add(SAID)
                await asked(llm)
                assert await asyncio.to_thread(first.stop) == 0
            assert query(database.owner, "SELECT status::text FROM procrastinate_jobs WHERE lock IS NOT NULL") == [
                ("todo",)
            ]
            assert (await client.status(task["task_id"]))["status"] == "running"
            llm.answer_with(echo_extraction)
            with working(tmp_path, env, name="second") as second:
                assert (await client.finished(task["task_id"]))["status"] == "completed"
                assert await asyncio.to_thread(second.stop) == 0


@pytest.mark.parametrize("attempts", [1, 6])
async def test_what_a_stopped_service_gives_back_is_not_held_against_the_task(
    start: StartService, database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    monkeypatch.setattr("memcubed.bootstrap.worker._DRAIN_SECONDS", 0.1)
    with ScriptedServer(lambda request: after(30, echo_extraction(request))) as llm:
        settings = llm_settings(llm, task_attempts=attempts)
        async with start(settings, urls=database) as api:
            client = await api.client()
            task = await client.add(SAID)
            await asked(llm)
        held = query(database.owner, "SELECT status::text, attempts FROM procrastinate_jobs WHERE lock IS NOT NULL")
        assert held == [("todo", 1)]
        assert query(database.owner, "SELECT status, attempts, last_error FROM task_shares") == [("running", 0, None)]
        llm.answer_with(echo_extraction)
        async with start(settings, urls=database) as api:
            done = await Client(api.http, client.key).finished(task["task_id"])
            assert (done["status"], done["reason"]) == ("completed", None)


async def test_idle_processes_stop_at_once_and_leave_no_connection(tmp_path: Path, database: DatabaseUrls) -> None:
    with model_server() as llm:
        env = environment(tmp_path, **model_settings(llm), **database_settings(database))
        async with serving(tmp_path, env) as (process, http):
            assert Answer.of(await http.post("/add/message", json={})).code == 40130
            with working(tmp_path, env) as worker:
                worker.logged("memcubed_started")
                assert worker.stop() == 0
                assert "Traceback" not in worker.log
            assert process.stop() == 0
            assert "Traceback" not in process.log
        assert query(database.owner, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") == [
            (1,)
        ]


async def test_a_worker_that_is_just_starting_is_stopped_at_once(
    start: StartService, monkeypatch: pytest.MonkeyPatch
) -> None:
    registering, may_go_on = asyncio.Event(), asyncio.Event()
    async with start(worker=False) as api:
        service = api.service
        register = service.queue.job_manager.register_worker

        async def register_slowly() -> int:
            registering.set()
            with suppress(asyncio.CancelledError):  # as the connection pool may lose one
                await may_go_on.wait()
            return await register()

        monkeypatch.setattr(service.queue.job_manager, "register_worker", register_slowly)
        worker = asyncio.create_task(service.work())
        await registering.wait()
        worker.cancel()
        await asyncio.sleep(0)
        may_go_on.set()
        done, _ = await asyncio.wait({worker}, timeout=PATIENCE_SECONDS)
        assert done
        assert query(api.urls.owner, "SELECT id FROM procrastinate_workers") == []
