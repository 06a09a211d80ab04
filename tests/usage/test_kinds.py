"""What memories of each kind cost: every call is divided among what came of it, and nothing is counted twice."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcubed.usage.model import KindCount, KindUsage, Usage, divide, with_rest
from tests.conftest import StartService
from tests.support.api import Api, Client, Json, eventually
from tests.support.databases import query
from tests.support.every_model import CONVERSATION, FORM, IMAGE, answer_everything
from tests.support.scripted_llm import ScriptedServer, json_answer
from tests.support.settings import llm_settings

COUNTS = ("calls", "input_tokens", "output_tokens")
VIEWS = ["detail_factual", "preference", "tool_memory", "profile", "event"]

numbers = st.integers(0, 10**12)


@given(st.builds(Usage, numbers, numbers, numbers), st.dictionaries(st.text(max_size=3), numbers, max_size=6))
def test_the_parts_of_a_cost_are_the_cost(usage: Usage, parts: dict[str, int]) -> None:
    divided = divide(usage, parts)
    assert set(divided) == {name for name, part in parts.items() if part}
    assert sum(divided.values(), Usage()) == (usage if divided else Usage())
    whole = sum(parts.values())
    for name, share in divided.items():
        assert abs(share.input_tokens - usage.input_tokens * parts[name] / whole) <= max(1, usage.input_tokens * 1e-12)


def test_one_call_is_the_call_of_the_larger_part() -> None:
    assert divide(Usage(1, 100, 10), {"fact": 30, "event": 70}) == {"fact": Usage(0, 30, 3), "event": Usage(1, 70, 7)}


def test_what_no_kind_was_paid_for_is_shown_as_such() -> None:
    fact = KindUsage("fact", KindCount(2, Usage(1, 70, 8)))
    assert with_rest([fact], Usage(3, 100, 10)) == [fact, KindUsage("none", KindCount(0, Usage(2, 30, 2)))]
    assert with_rest([fact], Usage(1, 70, 8)) == [fact]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(answer_everything) as running:
        yield running


async def usage(api: Api, client: Client, *, task: str | None = None) -> Json:
    """What the admin API shows of the client's project, or of one task in it, once all of it is written."""
    await api.service.usage.write()
    ((project_id,),) = query(
        api.urls.owner, "SELECT project_id FROM api_keys WHERE prefix = %(prefix)s", prefix=client.key[:11]
    )
    path = "usage" if task is None else f"projects/{project_id}/tasks/{task}/usage"
    root = str(api.http.base_url).split("/api/")[0]
    key = await api.service.admin_keys.create(name="tests")
    response = await api.http.get(f"{root}/admin/{path}", headers={"Authorization": f"Token {key}"})
    data: Json = response.json()["data"]
    return data


def together(rows: list[Json]) -> Json:
    return {name: sum(row[name] for row in rows) for name in COUNTS}


async def finished(api: Api, client: Client, task: Json) -> Json:
    done = await client.finished(task["task_id"])

    async def is_idle() -> bool:
        return query(api.urls.owner, "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')") == [
            (0,)
        ]

    await eventually(is_idle)
    return done


async def test_every_kind_is_shown_with_its_memories_and_its_part(start: StartService, server: ScriptedServer) -> None:
    async with start(llm_settings(server, vision_model="eyes")) as api:
        client = await api.client()
        form = await client.post("/add/profile_template", {"name": "Customer", "metadata": FORM})
        await client.post(
            "/bind/profile_template", {"bind_list": [{"user_id": "u", "profile_template_id": form["id"]}]}
        )
        image: Json = {"role": "user", "content": [IMAGE]}
        task = await client.add(*CONVERSATION, image, allow_memory_view=VIEWS)
        done = await finished(api, client, task)
        assert done["status"] == "completed"

        shown = await usage(api, client, task=task["task_id"])
        kinds = {row["kind"]: row for row in shown["kinds"]}
        assert set(kinds) == {"fact", "explicit_preference", "event", "tool_trajectory", "profile"}
        assert together(shown["kinds"]) == together(shown["usage"]) == shown["total"]
        added = {view: counts["added"] for view, counts in done["memory_views"].items()}
        assert added == {
            "detail_factual": kinds["fact"]["memories"],
            "preference": kinds["explicit_preference"]["memories"],
            "event": 1,
            "tool_memory": kinds["tool_trajectory"]["memories"],
            "profile": 1,
        }
        purposes = {row["purpose"]: row for row in shown["usage"]}
        assert {name: kinds["tool_trajectory"][name] for name in COUNTS} == {
            name: purposes["tool_memory"][name] for name in COUNTS
        }
        # facts and preferences came of one answer, most of which is facts
        assert kinds["fact"]["input_tokens"] > kinds["explicit_preference"]["input_tokens"] > 0
        assert kinds["explicit_preference"]["calls"] == 0

        of_project = await usage(api, client)
        assert [{**row, "project_id": None} for row in of_project["kinds"]] == [
            {**row, "project_id": None} for row in shown["kinds"]
        ]
        assert of_project["total"] == shown["total"]


async def test_what_gives_no_memory_is_nobodys(start: StartService, server: ScriptedServer) -> None:
    async with start(llm_settings(server)) as api:
        client = await api.client()
        await client.post("/extract/memory", {"messages": [{"role": "user", "content": "I moved to Lisbon."}]})
        chat = {"user_id": "u", "conversation_id": "c", "query": "Where do I live?", "add_message_on_answer": False}
        await client.post("/chat", chat)
        server.answer_with(json_answer({"memories": []}))
        task = await client.add("I moved to Porto last month.")
        await finished(api, client, task)
        shown = await usage(api, client)
        assert [row["kind"] for row in shown["kinds"]] == ["none"]
        assert {row["purpose"]: row["calls"] for row in shown["usage"]} == {"preview": 1, "chat": 1, "extraction": 1}
        assert together(shown["kinds"]) == shown["total"]


async def test_without_a_model_memories_are_counted_and_cost_nothing(start: StartService) -> None:
    async with start() as api:
        client = await api.client()
        task = await client.add("I live in Lisbon. I prefer trains.")
        await finished(api, client, task)
        shown = await usage(api, client, task=task["task_id"])
        assert shown["usage"] == []
        made = Counter({row["kind"]: row["memories"] for row in shown["kinds"]})
        assert made["fact"] == 1
        assert all(row[name] == 0 for row in shown["kinds"] for name in COUNTS)


async def test_a_failed_try_is_nobodys_and_its_repetition_is_the_memorys(start: StartService) -> None:
    answers: list[Any] = [json_answer({"wrong": 1}), json_answer({"still": "wrong"})]

    def script(request: Json) -> Any:  # noqa: ANN401 - a scripted answer
        return answers.pop(0) if answers else answer_everything(request)

    with ScriptedServer(script) as server:
        async with start(llm_settings(server)) as api:
            client = await api.client()
            task = await client.add("I moved to Lisbon last month.")
            await finished(api, client, task)
            shown = await usage(api, client, task=task["task_id"])
            assert {row["kind"]: (row["memories"], row["calls"]) for row in shown["kinds"]} == {
                "fact": (1, 1),
                "none": (0, 2),
            }
            assert together(shown["kinds"]) == shown["total"]
