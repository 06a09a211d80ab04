"""A job of any kind that is lost is found by the doctor and put back, or the next round does its work."""

from collections.abc import Awaitable, Callable

import psycopg
import pytest
from psycopg.rows import scalar_row

from memcubed.bootstrap import DatabaseUrls
from memcubed.doctor.model import Check
from memcubed.feedback.effect import RUN_FEEDBACK
from memcubed.knowledge.jobs import READ_FILE
from memcubed.production.jobs import EMBED_ALL, EMBED_CUBE, RUN_SHARE
from memcubed.skills.jobs import DISTIL_ALL, DISTIL_CUBE
from tests.conftest import StartService
from tests.knowledge.files import add, encoded, new_base
from tests.support.api import Api, Client, eventually

BUILT_IN = "procrastinate.builtin_tasks"
"""The queue's own tasks, which nothing here puts on it."""

ROUNDS = {EMBED_ALL, DISTIL_ALL}
"""Put on the queue every hour: what one round misses, the next one finds."""

BY_ROUNDS = {DISTIL_CUBE: DISTIL_ALL}
"""Put on the queue by a round for all that is still to be done. tests/skills shows that it then is."""

MANUAL = "The boiler is descaled every ninety days with citric acid."
SKILL = "---\nname: expense-report\ndescription: How to file travel expenses.\n---\n1. Collect the receipts.\n"


async def say(client: Client) -> None:
    """A conversation with a file in it, of somebody with a profile: one job reads, extracts and fills."""
    form = {"Basic": {"City": {"value": ""}}}
    template = (await client.post("/add/profile_template", {"metadata": form}))["id"]
    await client.post("/bind/profile_template", {"bind_list": [{"user_id": "u", "profile_template_id": template}]})
    file = {"type": "file", "file": {"file_data": encoded(MANUAL), "filename": "manual.txt"}}
    await client.add({"role": "user", "content": [{"type": "text", "text": "I live in Lyon."}, file]})


async def said_is_there(client: Client) -> bool:
    found = await client.search("city", include_memory_view=["profile"])
    fields = [field["memory"] for field in found["profile_detail_list"]]
    values = await client.values("How often is the boiler descaled?", user="u")
    return fields == ["Basic.City: Lyon"] and any("Lyon" in value for value in values) and MANUAL in values


async def correct(client: Client) -> None:
    await client.post("/add/feedback", {"user_id": "u", "feedback_content": "Please remember that I keep bees."})


async def correction_is_there(client: Client) -> bool:
    return any("bees" in value for value in await client.values("bees"))


async def edit_profile(client: Client) -> None:
    template = (await client.post("/add/profile_template", {"metadata": {"Name": {"value": ""}}}))["id"]
    owner = {"user_id": "u", "profile_template_id": template}
    await client.post("/bind/profile_template", {"bind_list": [owner]})
    await client.post("/edit/profile", {**owner, "metadata": {"Name": {"value": "Ada"}}})


async def edit_is_there(client: Client) -> bool:
    found = await client.search("name", include_memory_view=["profile"])
    return [field["memory"] for field in found["profile_detail_list"]] == ["Name: Ada"]


async def upload(client: Client) -> None:
    base = await new_base(client)
    await add(client, base, {"name": "rules.txt", "content": encoded(MANUAL)})
    skill = {"name": "expense.md", "type": "skill", "content": encoded(SKILL)}
    await client.post("/add/knowledgebase-file", {"knowledgebase_id": base, "file": [skill], "type": "skill"})


async def upload_is_there(client: Client) -> bool:
    found = await client.search(MANUAL, knowledgebase_ids=["all"], include_skill=True)
    skills = [skill["skill_value"]["name"] for skill in found["skill_detail_list"]]
    return [one["memory_value"] for one in found["memory_detail_list"]] == [MANUAL] and skills == ["expense-report"]


Ask = Callable[[Client], Awaitable[None]]
IsThere = Callable[[Client], Awaitable[bool]]

FOUND: dict[str, tuple[Check, int, Ask, IsThere]] = {
    RUN_SHARE: (Check.STUCK_SHARES, 1, say, said_is_there),
    RUN_FEEDBACK: (Check.STUCK_SHARES, 1, correct, correction_is_there),
    READ_FILE: (Check.STUCK_FILES, 2, upload, upload_is_there),
    EMBED_CUBE: (Check.UNEMBEDDED_MEMORIES, 1, edit_profile, edit_is_there),
}
"""By the kind of job: what finds its loss, how often, a request that is accepted before it, and what that promised."""


def lose_jobs(urls: DatabaseUrls) -> set[str]:
    """As a restored back-up of half a database would; the kinds of those that were lost."""
    with psycopg.connect(urls.owner, row_factory=scalar_row) as connection:
        return set(connection.execute("DELETE FROM procrastinate_jobs RETURNING task_name").fetchall())


@pytest.mark.parametrize("job", FOUND)
async def test_what_was_accepted_is_done_although_its_job_was_lost(
    start: StartService, database: DatabaseUrls, job: str
) -> None:
    check, number, ask, is_there = FOUND[job]
    async with start(urls=database, worker=False) as api:
        client = await api.client("p")
        await ask(client)
        assert job in lose_jobs(database)
        (diagnosis,) = (await api.service.doctor.examine()).diagnoses
        assert {finding.check: finding.count for finding in diagnosis.findings}[check] == number
        (diagnosis,) = (await api.service.doctor.examine(repair=True)).diagnoses
        assert (diagnosis.repaired or {})[check] == number
    async with start(urls=database) as api:

        async def is_done() -> bool:
            report = await api.service.doctor.examine()
            return report.is_clean and report.queue.waiting == report.queue.running == 0

        await eventually(is_done)
        client.http = api.http
        assert await is_there(client)


def test_every_job_that_can_be_lost_is_thought_of(api: Api) -> None:
    jobs = {name for name in api.service.queue.tasks if BUILT_IN not in name}
    assert jobs == {*FOUND, *ROUNDS, *BY_ROUNDS}
    periodic = {name for name, _ in api.service.queue.periodic_registry.periodic_tasks}
    assert periodic == ROUNDS
    assert ROUNDS.issuperset(BY_ROUNDS.values())
