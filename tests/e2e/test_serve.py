"""The command as people use it: a home of its own, the bundled database, the real local models."""

import asyncio
import json
import re
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from memcubed import embedded
from tests.support.api import Client
from tests.support.models import model_server, model_settings
from tests.support.process import environment, new_key, run, run_here, serving, working

KEY = r"^    (mc-\S+)$"
CURL = r"^curl (?:.+\\\n)+.+$"


def pasted(command: str, cwd: Path) -> dict[str, object]:
    """What a command answers that is pasted into a shell."""
    done = subprocess.run(["bash", "-c", command], cwd=cwd, capture_output=True, text=True, check=True, timeout=60)  # noqa: S607 - any bash
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def contents(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_from_the_first_start_to_the_next(home: Path, tmp_path: Path) -> None:
    env = environment(home)
    async with serving(tmp_path, env, name="first") as (process, http):
        key = process.said(KEY).group(1)
        answer = pasted(process.said(CURL).group(), tmp_path)
        assert answer["code"] == 0, answer
        task = answer["data"]
        assert isinstance(task, dict)
        client = Client(http, key)
        done = await client.finished(task["task_id"])
        assert done["status"] == "completed"
        asked = {"user_id": "memos_user_123", "query": "我国庆想出去玩，帮我推荐个没去过的城市，以及没住过的酒店品牌"}
        found = await client.post("/search/memory", asked)
        assert any("七天" in memory["memory_value"] for memory in found["memory_detail_list"])
        assert found["preference_detail_list"]

        health = (await http.get(f"{process.root}/health/ready")).json()
        assert (health["status"], health["extractor"], health["database"]) == ("ok", "local", "bundled")
        assert health["embeddings"].startswith("local-")
        assert "memcubed_started" in process.log
        assert "extractor=local" in process.log
        assert contents(home) == {"postgres"}

        # a second one of the same home
        async with serving(tmp_path, env, "--no-worker", name="second") as (second, other):
            assert "mc-" not in second.output
            assert "curl" not in second.output
            assert (await Client(other, key).post("/search/memory", asked))["memory_detail_list"]
            assert await asyncio.to_thread(second.stop) == 0
        assert (await client.post("/search/memory", asked))["memory_detail_list"]
        assert await asyncio.to_thread(process.stop) == 0
    assert embedded.find_running(home) is None

    async with serving(tmp_path, env, name="third") as (process, http):
        assert "mc-" not in process.output
        assert (await Client(http, key).post("/search/memory", asked))["memory_detail_list"]
        more = Client(http, await new_key(env, "default"))
        assert (await more.post("/search/memory", asked))["memory_detail_list"]
        assert process.stop() == 0
    assert embedded.find_running(home) is None


async def test_a_worker_beside_a_service_without_one(home: Path, tmp_path: Path) -> None:
    with model_server() as models:
        env = environment(home, **model_settings(models))
        async with serving(tmp_path, env, "--no-worker") as (process, http):
            health = (await http.get(f"{process.root}/health")).json()
            assert (health["worker"], health["extractor"]) == (False, "llm (scripted)")
            client = Client(http, process.said(KEY).group(1))
            task = await client.add("I keep bees behind the barn.")
            assert (await client.status(task["task_id"]))["status"] == "running"
            with working(tmp_path, env) as worker:
                assert (await client.finished(task["task_id"]))["status"] == "completed"
                assert await asyncio.to_thread(worker.stop) == 0
            # it leaves the database to the service
            assert await client.values("bees")
            assert process.stop() == 0
        assert embedded.find_running(home) is None


def test_a_port_in_use_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_here("serve", "--port", port, env=environment(tmp_path / "home"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(rf"memcubed: Can't listen on 127\.0\.0\.1 port {port}: .*in use.*\n", done.stderr)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "eighty"),
        ("log_level", "loud"),
        ("default_timezone", "Mars/Olympus"),
        ("task_attempts", "0"),
        ("embedding_base_url", "http://x/v1"),
        ("llm_base_url", "localhost:11434"),
        ("otlp_endpoint", "collector"),
        ("rerank_base_url", "http://host:port/v1"),
        ("llm_api_key", "sk-1 # mine"),
        ("rerank_api_key", "schlüssel"),
        ("llm_model", "gpt"),  # OpenAI's, without a key
        ("vision_model", "gpt"),
        ("query_rewrite", "true"),
    ],
)
def test_a_bad_setting_is_one_plain_line_that_names_it(tmp_path: Path, name: str, value: str) -> None:
    done = run_here("serve", env=environment(tmp_path / "home", **{name: value}))
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("memcubed: ")
    assert f"MEMCUBED_{name.upper()}" in done.stderr
    assert not (tmp_path / "home").exists()


def test_settings_are_read_from_a_file_beside(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MEMCUBED_LOG_LEVEL=loud\nUNRELATED=1\n", encoding="utf-8")
    assert "MEMCUBED_LOG_LEVEL" in run("serve", env=environment(tmp_path), cwd=tmp_path).stderr


def test_stop_tells_whether_there_was_anything_to_stop(home: Path) -> None:
    env = environment(home)
    assert run_here("stop", env=env).stdout == "It was not running.\n"
    embedded.start(home)
    assert run_here("stop", env=env).stdout == "Stopped.\n"
    assert embedded.find_running(home) is None


@pytest.mark.slow
@pytest.mark.parametrize("host", ["0.0.0.0", "::1"])  # noqa: S104 - what is tested
async def test_the_address_that_is_printed_can_be_called(home: Path, tmp_path: Path, host: str) -> None:
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with model_server() as models:
        async with serving(tmp_path, environment(home, **model_settings(models)), "--host", host) as (process, http):
            answer = await http.post("/search/memory", json={})
            assert answer.status_code == 401
            assert httpx.URL(process.url).host in {"127.0.0.1", "::1"}
            assert process.stop() == 0
