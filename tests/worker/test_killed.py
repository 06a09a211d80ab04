"""kill -9 of `memcubed serve` in the middle of an extraction: nothing is lost, and nothing is done twice."""

from pathlib import Path

import psycopg
import pytest

from memcubed.bootstrap import DatabaseUrls
from tests.conftest import StartService
from tests.support.api import Client, eventually
from tests.support.databases import query
from tests.support.models import model_server, model_settings
from tests.support.process import database_settings, environment, new_key, serving, working
from tests.support.scripted_llm import ScriptedServer, after, echo_extraction

SAID = "I keep bees behind the barn."


async def asked(llm: ScriptedServer, times: int) -> None:
    async def is_asked() -> bool:
        return len(llm.chats) >= times

    await eventually(is_asked)


async def test_the_next_start_completes_the_task_once(tmp_path: Path, database: DatabaseUrls) -> None:
    with model_server(lambda request: after(120, echo_extraction(request))) as llm:
        env = environment(tmp_path, **model_settings(llm), **database_settings(database))
        key = await new_key(env)
        async with serving(tmp_path, env, name="first") as (first, http):
            client = Client(http, key)
            tasks = [await client.add(SAID)]
            await asked(llm, 1)
            tasks.append(await client.add("I collect stamps."))
            first.kill()
        llm.answer_with(echo_extraction)
        async with serving(tmp_path, env, name="second") as (second, http):
            client = Client(http, key)
            for task in tasks:
                done = await client.finished(task["task_id"])
                assert (done["status"], done["memory_views"]) == ("completed", {"detail_factual": {"added": 1}})
            assert len(await client.values("bees")) == 2
            assert len(await client.messages()) == 2
            assert query(database.owner, "SELECT count(*) FROM memories WHERE status = 'activated'") == [(2,)]
            assert second.stop() == 0
        assert query(database.owner, "SELECT id FROM procrastinate_jobs WHERE task_name LIKE '%%share'") == []


@pytest.mark.slow
async def test_a_worker_beside_takes_the_work_of_a_killed_one(tmp_path: Path, database: DatabaseUrls) -> None:
    with model_server(lambda request: after(120, echo_extraction(request))) as llm:
        env = environment(tmp_path, **model_settings(llm), **database_settings(database))
        key = await new_key(env)
        async with serving(tmp_path, env, "--no-worker") as (_, http):
            client = Client(http, key)
            with working(tmp_path, env, name="first") as first:
                task = await client.add(SAID)
                await asked(llm, 1)
                first.kill()
            assert (await client.status(task["task_id"]))["status"] == "running"
            llm.answer_with(echo_extraction)
            with working(tmp_path, env, name="second") as second:
                assert (await client.finished(task["task_id"]))["status"] == "completed"
                assert len(await client.values("bees")) == 1
                assert second.stop() == 0


async def test_work_that_never_lets_a_worker_finish_fails_in_the_end(
    start: StartService, database: DatabaseUrls
) -> None:
    async with start(urls=database, worker=False) as api:
        client = await api.client()
        task = await client.add(SAID)
        with psycopg.connect(database.owner) as connection:
            connection.execute("UPDATE procrastinate_jobs SET attempts = 1000 WHERE lock IS NOT NULL")
        async with start(urls=database):
            done = await client.finished(task["task_id"])
        assert (done["status"], done["memory_views"]) == ("failed", {})
        assert "the worker ended" in done["reason"]
        assert await client.values("bees")
