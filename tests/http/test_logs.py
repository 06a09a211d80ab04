"""The logs say what happened, and hold nothing of what was said and no key."""

import asyncio
import json
import logging
from pathlib import Path

import pytest
import structlog

from memcubed.logs import configure_logs
from tests.support.api import Client
from tests.support.models import model_server, model_settings
from tests.support.process import environment, serving
from tests.support.scripted_llm import Answer, Json, api_error, echo_extraction, text_answer

SECRET = "zanzibar"


@pytest.mark.parametrize("log_format", [pytest.param("text", marks=pytest.mark.slow), "json"])
async def test_a_mix_of_requests_leaves_no_word_of_theirs(home: Path, tmp_path: Path, log_format: str) -> None:
    def script(request: Json) -> Answer:
        said = str(request["messages"][-1]["content"])
        if "refused" in said:
            return api_error(400, f"you said {SECRET}", code=SECRET * 20)
        if "rubbish" in said:
            return text_answer(f"{SECRET} {{")
        return echo_extraction(request)

    with model_server(script) as models:
        settings = {**model_settings(models), "llm_api_key": f"sk-{SECRET}", "log_level": "debug", "task_attempts": 2}
        env = environment(home, **settings, log_format=log_format)
        async with serving(tmp_path, env) as (process, http):
            client = Client(http, process.said(r"^    (mc-\S+)$").group(1))
            tasks = [
                await client.add(f"{word} {SECRET} lives in {SECRET}.", conversation_id=SECRET, tags=[SECRET])
                for word in ("kept", "refused", "rubbish")
            ]
            for task in tasks:
                await client.finished(task["task_id"])
            await client.search(SECRET)
            await client.messages(SECRET)
            for path, body in {
                "/add/message": {"user_id": [SECRET, 5], "messages": [{"role": SECRET, "content": SECRET}]},
                "/search/memory": {"query": SECRET, SECRET: SECRET, "user_id": SECRET * 20},
                "/get/status": {"task_id": SECRET},
                f"/{SECRET}": {},
            }.items():
                assert (await client.send(path, body)).code != 0
            await client.send("/add/message", f'{{"broken": "{SECRET}'.encode())
            await Client(http, f"mc-00000000-{SECRET}").send("/search/memory", {"user_id": "u", "query": SECRET})
            assert await asyncio.to_thread(process.stop) == 0
        log = process.log
    assert SECRET not in log
    assert client.key not in log
    assert client.key[12:] not in log
    for event in ("memcubed_started", "request", "share_completed", "share_failed"):
        assert event in log
    if log_format == "json":
        lines = [json.loads(line) for line in log.splitlines()]
        assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
        failed = [line for line in lines if line["event"] == "share_failed"]
        assert all(line["task_id"] in {task["task_id"] for task in tasks} for line in failed)
        added = {line["request_id"] for line in lines if line["event"] == "request" and "add" in line["route"]}
        of_jobs = [line for line in lines if line["event"] in {"share_completed", "share_failed"}]
        assert of_jobs
        assert all(line["request_id"] in added and line["project_id"] and line["job"] for line in of_jobs)
    server_log = (home / "postgres" / "server.log").read_text(encoding="utf-8")
    assert SECRET not in server_log


def test_only_the_ends_of_shares_are_left_to_production(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config(), logging.getLogger().handlers, logging.getLogger().level
    try:
        configure_logs("text", "info")
        for task in ("production.run_share", "production.embed_all"):
            extra = {"action": "job_error", "job": {"task_name": task}}
            logging.getLogger("procrastinate.worker").error("the end of %s", task, extra=extra)
    finally:
        structlog.configure(**before[0])
        logging.getLogger().handlers, logging.getLogger().level = before[1:]
    shown = capsys.readouterr().err
    assert "the end of production.embed_all" in shown
    assert "run_share" not in shown
