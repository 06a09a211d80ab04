"""PostgreSQL dies under a running service: requests are told to try again, and then everything goes on."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from memcubed import embedded
from memcubed.store.migrate import migrate
from tests.conftest import StartService
from tests.support.api import Answer, Client, Json, eventually
from tests.support.databases import query
from tests.support.models import model_server, model_settings
from tests.support.process import environment, serving
from tests.support.scripted_llm import ScriptedServer, after, echo_extraction
from tests.support.settings import llm_settings

SAID = "I keep bees behind the barn."
REQUESTS: dict[str, Json] = {
    "/add/message": {"user_id": "u", "messages": [{"role": "user", "content": "I collect stamps."}]},
    "/get/message": {"user_id": "u", "conversation_id": "c"},
    "/search/memory": {"user_id": "u", "query": "bees"},
    "/get/status": {"task_id": "8b5f1b0e-9a39-4d3a-8f57-3f4d6a4c2f10"},
}
END_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def kill_database(home: Path) -> None:
    server = embedded.find_running(home)
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)


async def asked(llm: ScriptedServer) -> None:
    async def is_asked() -> bool:
        return bool(llm.chats)

    await eventually(is_asked)


def check_unavailable(answer: Answer) -> None:
    assert (answer.status, answer.code) == (503, 50004)
    assert answer.headers["retry-after"] == "1"


async def test_the_bundled_server_comes_back_and_nothing_is_lost(home: Path, tmp_path: Path) -> None:
    with model_server(lambda request: after(2, echo_extraction(request))) as llm:
        async with serving(tmp_path, environment(home, **model_settings(llm))) as (process, http):
            client = Client(http, process.said(r"^    (mc-\S+)$").group(1))
            task = await client.add(SAID)
            await asked(llm)
            kill_database(home)

            async def is_down() -> bool:
                return (await http.get(f"{process.root}/health/ready")).status_code == 503

            await eventually(is_down)
            assert (await http.get(f"{process.root}/health/live")).status_code == 200
            answers = [await client.send(path, body) for path, body in REQUESTS.items()]
            # it may come back while we ask
            refused = [answer for answer in answers if answer.status == 503]
            assert refused
            for answer in refused:
                check_unavailable(answer)

            await asyncio.to_thread(process.ready)
            done = await client.finished(task["task_id"])
            assert (done["status"], done["memory_views"]) == ("completed", {"detail_factual": {"added": 1}})
            again = await client.add("I own a boat.")
            assert (await client.finished(again["task_id"]))["status"] == "completed"
            values = await client.values("bees boat")
            assert len([value for value in values if "bees" in value]) == 1
            assert "database_revived" in process.log
            assert process.stop() == 0
        assert embedded.find_running(home) is None


@pytest.mark.slow
async def test_an_external_server_may_be_away_for_long_and_at_the_end(home: Path, tmp_path: Path) -> None:
    server = embedded.start(home)
    migrate(server.admin_url, server.service_url)
    with model_server() as llm:
        env = environment(tmp_path, **model_settings(llm), database_url=server.service_url)
        async with serving(tmp_path, env) as (process, http):
            kill_database(home)

            async def is_down() -> bool:
                return (await http.get(f"{process.root}/health/ready")).status_code == 503

            await eventually(is_down)
            assert process.stop() == 0


@pytest.mark.parametrize("times", [1, 5])
async def test_connections_that_break_under_a_running_job_do_not_break_the_job(start: StartService, times: int) -> None:
    with ScriptedServer(lambda request: after(0.6, echo_extraction(request))) as llm:
        async with start(llm_settings(llm)) as api:
            client = await api.client()
            task = await client.add(SAID)
            await asked(llm)
            for _ in range(times):
                query(api.urls.owner, END_CONNECTIONS)
                await asyncio.sleep(0.15)
            done = await client.finished(task["task_id"])
            assert (done["status"], done["memory_views"]) == ("completed", {"detail_factual": {"added": 1}})
            assert query(api.urls.owner, "SELECT attempts FROM task_shares") == [(0,)]  # no try of it has failed
            again = await client.add("I own a boat.")
            assert (await client.finished(again["task_id"]))["status"] == "completed"

            async def no_job_hangs() -> bool:
                return query(api.urls.owner, "SELECT id FROM procrastinate_jobs WHERE status = 'doing'") == []

            await eventually(no_job_hangs)
