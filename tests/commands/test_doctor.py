"""`memcubed doctor` and `memcubed task`, as the operator runs them."""

import json
from pathlib import Path

import psycopg

from memcubed.bootstrap import DatabaseUrls
from tests.conftest import StartService
from tests.support.process import database_settings, environment, run
from tests.support.scripted_llm import ScriptedServer, status_answer
from tests.support.settings import llm_settings


async def test_a_failed_task_is_listed_and_tried_again(
    start: StartService, database: DatabaseUrls, tmp_path: Path
) -> None:
    env = environment(tmp_path, **database_settings(database))
    with ScriptedServer() as server:
        server.answer_with(status_answer(401, {"error": {"message": "no such key"}}))
        async with start(llm_settings(server), urls=database) as api:
            client = await api.client("default")
            task = (await client.add("I keep bees."))["task_id"]
            assert (await client.finished(task))["status"] == "failed"

    listed = run("task", "list", "--status", "failed", env=env)
    assert listed.returncode == 0, listed.stderr
    (line,) = listed.stdout.splitlines()
    assert line.startswith(f"{task}  failed")
    assert "user u" in line
    assert "key" in line

    (found,) = json.loads(run("doctor", "--json", env=env).stdout)["projects"]
    assert found["tasks_failed"] == 1
    out_of_order = {finding["check"] for finding in found["findings"] if finding["count"]}
    assert out_of_order == {"unembedded_memories"}  # the test's vectors are not of the model that the command has

    for arguments in (("task", "retry", task), ("task", "retry", "--failed")):
        retried = run(*arguments, env=env)
        assert retried.returncode == 0, retried.stderr
    async with start(urls=database) as api:
        client = await api.client("default")
        assert (await client.finished(task))["status"] == "completed"
        assert any("bees" in value for value in await client.values("bees"))


def test_what_is_out_of_order_ends_the_doctor_with_1(database: DatabaseUrls, tmp_path: Path) -> None:
    env = environment(tmp_path, **database_settings(database))
    assert run("key", "create", env=env).returncode == 0
    assert run("doctor", env=env).stdout.splitlines()[-1] == "Clean."
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "INSERT INTO tasks (id, project_id, options, body_hash)"
            " SELECT gen_random_uuid(), id, '{}', '' FROM projects"
        )
    sick = run("doctor", env=env)
    assert sick.returncode == 1
    assert "1 unfinished tasks" in sick.stdout
    repaired = run("doctor", "--repair", env=env)
    assert repaired.returncode == 0, repaired.stdout
    assert "repaired, or back on the queue: 1 unfinished tasks" in repaired.stdout


def test_what_does_not_exist_is_said_plainly(database: DatabaseUrls, tmp_path: Path) -> None:
    env = environment(tmp_path, **database_settings(database))
    for arguments in (("doctor", "--project", "none"), ("task", "list", "--project", "none")):
        answer = run(*arguments, env=env)
        assert answer.returncode == 1
        assert answer.stderr == "memcubed: There is no project named 'none'.\n"
    run("key", "create", env=env)
    for name in ("none", "5d1f8a46-0b0f-4f3e-8b5c-6f7d8a9e0c11"):
        answer = run("task", "retry", name, env=env)
        assert answer.returncode == 1
        assert name in answer.stderr
    assert run("task", "retry", env=env).returncode != 0
