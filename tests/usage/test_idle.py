"""Nothing has changed: no job, no repair, no repetition and no restart calls a model of any sort."""

from collections.abc import Iterator

import pytest

from memcubed.feedback.effect import RUN_FEEDBACK
from memcubed.knowledge.jobs import READ_FILE
from memcubed.production.jobs import EMBED_CUBE, RUN_SHARE
from memcubed.skills.jobs import DISTIL_CUBE
from tests.conftest import StartService
from tests.knowledge.files import add_text, new_base
from tests.support.api import Api, Client, Json, eventually
from tests.support.databases import query
from tests.support.every_model import CONVERSATION, FORM, IMAGE, answer_everything, form_of
from tests.support.models import model_server, model_settings
from tests.support.scripted_llm import RecordedRequest, ScriptedServer
from tests.support.settings import make_settings

VIEWS = ["detail_factual", "preference", "tool_memory", "profile", "event", "skill"]
AGAIN = {"Idempotency_Key": "one-key"}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with model_server(answer_everything) as running:
        yield running


async def idle(api: Api) -> None:
    async def is_idle() -> bool:
        return query(api.urls.owner, "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')") == [
            (0,)
        ]

    await eventually(is_idle)


async def fill(client: Client) -> None:
    """Memories of every kind, feedback and a file."""
    form = await client.post("/add/profile_template", {"name": "Customer", "metadata": FORM})
    bound = {"user_id": "u", "profile_template_id": form["id"]}
    await client.post("/bind/profile_template", {"bind_list": [bound]})
    for number in range(3):
        task = await client.add(*CONVERSATION, conversation_id=f"c{number}", allow_memory_view=VIEWS)
        await client.finished(task["task_id"])
    asked = {"user_id": "u", "conversation_id": "c0", "feedback_content": "No, I live in Porto."}
    await client.finished((await client.post("/add/feedback", asked))["task_id"])
    await add_text(client, await new_base(client), "Chairs may cost 800 euros.")


async def run_every_job(api: Api) -> None:
    """The hourly jobs, and anew each job that was run for what is there."""
    queue = api.service.queue
    for job in {task.task.name for task in queue.periodic_registry.periodic_tasks.values()}:
        await queue.configure_task(job).defer_async(timestamp=0)
    shares = query(api.urls.owner, "SELECT project_id::text, cube_id::text, task_id::text FROM task_shares")
    for project, cube, task in shares:
        for job in (RUN_SHARE, RUN_FEEDBACK):
            await queue.configure_task(job).defer_async(project_id=project, cube_id=cube, task_id=task)
    for project, cube in query(api.urls.owner, "SELECT project_id::text, id::text FROM cubes"):
        for job in (EMBED_CUBE, DISTIL_CUBE):
            await queue.configure_task(job).defer_async(project_id=project, cube_id=cube)
    for project, cube, file in query(
        api.urls.owner, "SELECT project_id::text, cube_id::text, id::text FROM knowledge_files"
    ):
        await queue.configure_task(READ_FILE).defer_async(project_id=project, cube_id=cube, file_id=file)
    await idle(api)


def asked(requests: list[RecordedRequest]) -> list[str]:
    """What was asked, in a form that a failing test can show."""
    return [
        form_of(request.body) if request.path.endswith("/chat/completions") else f"embed {request.body['input']}"
        for request in requests
    ]


async def test_nothing_is_asked_of_any_model(start: StartService, server: ScriptedServer) -> None:
    settings = make_settings(**model_settings(server), vision_model="eyes", query_rewrite=True)
    async with start(settings) as api:
        client = await api.client()
        await fill(client)
        await run_every_job(api)
        assert set(asked(server.requests)) >= {"extractedmemories", "extractedevents", "learnedexperience",
                                               "filledfields", "feedbackanswer", "distilledskill"}  # fmt: skip
        before = len(server.requests)

        for _ in range(2):
            await run_every_job(api)
            report = await api.service.doctor.examine(repair=True)
            assert report.is_clean
            await idle(api)
        assert asked(server.requests[before:]) == []

        # a worker, and an API, that start where all is done: is the endpoint there?
        async with start(settings, urls=api.urls) as second:
            await idle(second)
        assert asked(server.requests[before:]) == ["embed ['warm']"]
        assert query(api.urls.owner, "SELECT count(*) FROM calibrations") == [(1,)]


@pytest.mark.parametrize(
    ("message", "asked_for"), [("Hello! Thanks!", []), ({"role": "user", "content": [IMAGE]}, ["vision"])]
)
async def test_what_says_nothing_is_not_read(
    start: StartService,
    server: ScriptedServer,
    message: str | Json,
    asked_for: list[str],
) -> None:
    async with start(make_settings(**model_settings(server), vision_model="eyes")) as api:
        client = await api.client()
        form = await client.post("/add/profile_template", {"name": "Customer", "metadata": FORM})
        bound = {"user_id": "u", "profile_template_id": form["id"]}
        await client.post("/bind/profile_template", {"bind_list": [bound]})
        await idle(api)
        before = len(server.requests)
        task = await client.add(message, allow_memory_view=VIEWS)
        assert (await client.finished(task["task_id"]))["status"] == "completed"
        await idle(api)
        said = asked(server.requests[before:])
        assert [one for one in said if not one.startswith("embed")] == asked_for
        assert len(said) == 2 * len(asked_for), "what an image shows is embedded, and nothing else"


async def test_a_message_that_is_sent_again_by_its_key_is_read_once(
    start: StartService, server: ScriptedServer
) -> None:
    async with start(make_settings(**model_settings(server))) as api:
        client = await api.client()
        body = {"user_id": "u", "messages": [{"role": "user", "content": "I keep bees."}]}
        task = await client.post("/add/message", body, **AGAIN)
        await client.finished(task["task_id"])
        await idle(api)
        before = len(server.requests)
        for _ in range(3):
            assert (await client.post("/add/message", body, **AGAIN))["task_id"] == task["task_id"]
        await idle(api)
        assert asked(server.requests[before:]) == []
