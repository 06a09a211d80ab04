"""While an installation is upgraded, workers of both releases take each other's jobs."""

from memcubed.bootstrap import DatabaseUrls
from tests.conftest import StartService
from tests.support.api import eventually
from tests.support.databases import execute, query

JOBS = "SELECT task_name, status::text, scheduled_at > now() + interval '30 s' FROM procrastinate_jobs"


async def test_jobs_of_an_older_and_of_a_newer_release_are_done(start: StartService, database: DatabaseUrls) -> None:
    async with start(urls=database, worker=False) as api:
        client = await api.client("default")
        older = (await client.add("I keep bees.", user="older"))["task_id"]
        newer = (await client.add("I keep goats.", user="newer"))["task_id"]
        execute(database, f"UPDATE procrastinate_jobs SET args = args - 'origin' WHERE args ->> 'task_id' = '{older}'")
        execute(
            database,
            f"UPDATE procrastinate_jobs SET args = args || jsonb_build_object('since', 1, 'origin', 'elsewhere')"
            f" WHERE args ->> 'task_id' = '{newer}'",
        )
    async with start(urls=database) as api:
        client = await api.client("default")
        for task in (older, newer):
            done = await client.finished(task)
            assert (done["status"], done["reason"]) == ("completed", None), done


async def test_a_job_that_only_a_newer_release_knows_is_left_to_it(start: StartService, database: DatabaseUrls) -> None:
    execute(
        database,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, attempts)"
        " VALUES ('default', 'since.today', 0), ('default', 'since.long', 20)",
    )
    async with start(urls=database):

        async def are_settled() -> bool:
            found = {name: (status, waits) for name, status, waits in query(database.owner, JOBS)}
            return (found["since.today"], found["since.long"]) == (("todo", True), ("failed", None))

        await eventually(are_settled)
