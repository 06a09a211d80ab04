"""A spent budget: no call by any route or job, work that goes on by itself, and nothing that is paid for twice."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest

from memcubed.projects.administration import ProjectAdministration
from memcubed.projects.model import ProjectChange
from memcubed.skills.jobs import DISTIL_ALL, DISTIL_CUBE
from memcubed.store.queue import wake_jobs
from tests.conftest import StartService
from tests.support.api import Api, Client, Json, eventually
from tests.support.databases import query
from tests.support.every_model import CONVERSATION, FORM, IMAGE, answer_everything, form_of
from tests.support.scripted_llm import ScriptedServer, after, status_answer
from tests.support.settings import llm_settings

SAID = "I moved to Lisbon last month."


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(answer_everything) as running:
        yield running


class Clock:
    """The real time and a while, or a moment at which it stands still."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.stands_at: datetime | None = None

    def __call__(self) -> datetime:
        return self.stands_at or datetime.now(UTC) + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of services that are started after this."""
    made = Clock()
    monkeypatch.setattr("memcubed.bootstrap.service.utc_now", made)
    return made


async def project_of(api: Api, client: Client) -> UUID:
    ((project_id,),) = query(
        api.urls.owner, "SELECT project_id FROM api_keys WHERE prefix = %(prefix)s", prefix=client.key[:11]
    )
    return UUID(str(project_id))


async def trips(client: Client) -> None:
    for city in ("Lyon", "Bern", "Turin"):
        task = await client.add(
            f"Please plan a weekend trip to {city} for me, trains before flights.",
            "Here is a plan: go by train on Friday.",
            conversation_id=f"trip to {city}",
            allow_memory_view=["detail_factual", "skill"],
        )
        await client.finished(task["task_id"])


async def ask_for_everything(client: Client) -> list[str]:
    """Let every route that may call a model be called, for users of their own; the tasks that this makes."""
    views = ("detail_factual", "preference", "event", "tool_memory", "profile")
    tasks = [await client.add(*CONVERSATION, user=view, allow_memory_view=[view]) for view in views]
    tasks.append(await client.add({"role": "user", "content": [IMAGE]}, user="image"))
    asked = {"user_id": "u", "conversation_id": "c"}
    tasks.append(
        await client.post("/add/feedback", {**asked, "user_id": "fed", "feedback_content": "No, I live in Porto."})
    )
    assert (await client.search("Where do I live?")) is not None
    for stream in (False, True):
        answer = await client.send("/chat", {**asked, "query": "Where do I live?", "stream": stream})
        assert (answer.status, answer.code) == (429, 40304)
        assert "budget of 1 model tokens" in answer.message
    answer = await client.send("/extract/memory", {"messages": [{"role": "user", "content": SAID}]})
    assert (answer.status, answer.code) == (429, 40304)
    return [task["task_id"] for task in tasks]


async def test_no_route_and_no_job_calls_a_model_and_all_that_waits_goes_on(
    start: StartService, server: ScriptedServer
) -> None:
    settings = llm_settings(server, vision_model="eyes", query_rewrite=True)
    async with start(settings) as api:
        client = await api.client()
        projects, project_id = ProjectAdministration(api.service.database), await project_of(api, client)
        form = await client.post("/add/profile_template", {"name": "Customer", "metadata": FORM})
        bound = {"user_id": "profile", "profile_template_id": form["id"]}
        await client.post("/bind/profile_template", {"bind_list": [bound]})
        await trips(client)
        await client.finished((await client.add(SAID, user="fed"))["task_id"])
        await projects.change(project_id, ProjectChange(None, None, 1))
        before = len(server.chats)

        tasks = await ask_for_everything(client)
        await api.service.queue.configure_task(DISTIL_ALL).defer_async(timestamp=0)

        async def all_wait() -> bool:
            rows = query(
                api.urls.owner,
                "SELECT task_name, status, scheduled_at > now(), attempts FROM procrastinate_jobs",
            )
            put_off = [row[0] for row in rows if row[1:3] == ("todo", True) and row[3] > 0]
            return len(put_off) == len(tasks) + 1 == len(rows) and DISTIL_CUBE in put_off

        await eventually(all_wait)
        assert len(server.chats) == before
        for task in tasks:
            shown = await client.status(task)
            assert shown["status"] == "running"
            assert "budget of 1 model tokens" in shown["reason"]

        await projects.change(project_id, ProjectChange(None, None, 0))
        for task in tasks:
            assert (await client.finished(task))["status"] == "completed"
        forms = {form_of(chat) for chat in server.chats[before:]}

        async def is_distilled() -> bool:
            return "distilledskill" in {form_of(chat) for chat in server.chats[before:]}

        await eventually(is_distilled)
        assert forms >= {
            "extractedmemories", "extractedevents", "learnedexperience", "filledfields", "feedbackanswer", "vision"
        }  # fmt: skip


async def test_work_that_waits_goes_on_at_midnight_utc(
    start: StartService, server: ScriptedServer, clock: Clock
) -> None:
    async with start(llm_settings(server, daily_token_budget=1)) as api:
        client = await api.client()
        await client.finished((await client.add(SAID, user="first"))["task_id"])
        tomorrow = clock().date() + timedelta(days=1)
        midnight = datetime.combine(tomorrow, time(), UTC)
        clock.stands_at = midnight - timedelta(seconds=1)
        task = (await client.add("I keep bees behind the barn."))["task_id"]

        async def has_waited() -> bool:
            return query(api.urls.owner, "SELECT max(waits) > 0 FROM task_shares") == [(True,)]

        await eventually(has_waited)
        clock.stands_at = midnight
        assert (await client.finished(task))["status"] == "completed"
        assert query(api.urls.owner, "SELECT day, calls FROM usage_days ORDER BY day") == [
            (tomorrow - timedelta(days=1), 1),
            (tomorrow, 1),
        ]


async def test_a_conversation_dearer_than_a_days_budget_is_read_in_some_days_and_paid_for_once(
    start: StartService, server: ScriptedServer, clock: Clock
) -> None:
    settings = llm_settings(server, daily_token_budget=1, llm_window_tokens=200)
    async with start(settings) as api:
        client = await api.client()
        project_id = await project_of(api, client)
        said = [
            f"My {number} cousin keeps exactly {number} grey geese in a red barn. " * 12 for number in range(20, 23)
        ]
        turns = [{"role": "user", "content": text} for text in said]
        task = (await client.add(*turns))["task_id"]
        for day in range(1, 4):

            async def has_waited(day: int = day) -> bool:
                return query(
                    api.urls.owner,
                    "SELECT waits, j.status FROM task_shares, procrastinate_jobs j WHERE scheduled_at > now()",
                ) == [(day, "todo")]

            if day < 3:
                await eventually(has_waited)
                assert len(server.chats) == day
                assert query(api.urls.owner, "SELECT count(*) FROM kept_answers") == [(day,)]
                clock.ahead += timedelta(days=1)
                async with api.service.database.transaction(None) as connection:
                    await wake_jobs(connection, project_id)
        assert (await client.finished(task))["status"] == "completed"
        assert len(server.chats) == 3
        assert sorted(query(api.urls.owner, "SELECT sum(calls)::int FROM usage_days GROUP BY day")) == [(1,)] * 3
        found = "\n".join(await client.values("geese", memory_limit_number=20))
        assert all(str(number) in found for number in range(20, 23))

        async def are_forgotten() -> bool:
            return query(api.urls.owner, "SELECT count(*) FROM kept_answers") == [(0,)]

        await eventually(are_forgotten)


async def test_a_failed_try_does_not_pay_twice(start: StartService, server: ScriptedServer) -> None:
    async with start(llm_settings(server, llm_window_tokens=200)) as api:
        client = await api.client()
        seen: list[Json] = []

        def script(request: Json) -> Any:  # noqa: ANN401 - a scripted answer
            seen.append(request)
            if len(seen) in {2, 3}:  # the call is repeated at once, and then the try has failed
                return status_answer(503)
            return answer_everything(request)

        server.answer_with(script)
        turns = [
            {"role": "user", "content": f"My {number} cousin keeps exactly {number} grey geese in a barn. " * 12}
            for number in (20, 21)
        ]
        task = (await client.add(*turns))["task_id"]
        assert (await client.finished(task))["status"] == "completed"
        asked = [json.dumps(chat["messages"]) for chat in seen]
        firsts = [text for text in asked if "20 grey geese" in text and "21 grey geese" not in text]
        assert len(firsts) == 1
        assert len(seen) == 4


async def test_two_processes_overrun_a_budget_by_no_more_than_the_calls_at_once(
    start: StartService, server: ScriptedServer
) -> None:
    server.answer_with(lambda request: after(0.05, answer_everything(request)))
    settings = llm_settings(server, llm_total_concurrency=2, daily_token_budget=1)
    async with start(settings) as one, start(settings, urls=one.urls):
        client = await one.client()
        await asyncio.gather(*(client.add(SAID, user=f"user {number}") for number in range(12)))

        async def has_settled() -> bool:
            return query(one.urls.owner, "SELECT count(*) FROM task_shares WHERE status = 'running' AND waits = 0") == [
                (0,)
            ]

        await eventually(has_settled)
        assert 1 <= len(server.chats) <= 2
