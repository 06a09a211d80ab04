"""Profile templates and profiles: forms that conversations fill, and people can edit and lock."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import StartService
from tests.support.api import Api, Client, Json
from tests.support.scripted_llm import ScriptedServer, json_answer
from tests.support.settings import llm_settings

FORM = {
    "Basic": {"Name": {"value": ""}, "City": {"value": "", "algorithm_updatable": True}},
    "Service": {"Plan": {"Tier": {"value": "standard", "algorithm_updatable": False}}},
}


async def template(client: Client, metadata: Json | None = None) -> str:
    data = await client.post("/add/profile_template", {"name": "Customer", "metadata": metadata or FORM})
    assert data["id"] == data["profile_template_id"]
    return str(data["profile_template_id"])


async def bound(client: Client, user: str = "ada", metadata: Json | None = None) -> str:
    id_ = await template(client, metadata)
    await client.post("/bind/profile_template", {"bind_list": [{"user_id": user, "profile_template_id": id_}]})
    return id_


async def profile(client: Client, user: str = "ada") -> dict[str, str]:
    """What a search finds of the profile: path to value."""
    found = await client.search("city name language tier allergy", user=user, include_memory_view=["profile"])
    shown = found["profile_detail_list"]
    for field in shown:
        assert field["memory"].startswith(field["profile_path"] + ": ")
        assert field["memory_type"] == "ProfileMemory"
    return {field["profile_path"]: field["memory"].split(": ", 1)[1] for field in shown}


async def edit(client: Client, template_id: str, **more: object) -> Json:
    data: Json = await client.post("/edit/profile", {"user_id": "ada", "profile_template_id": template_id, **more})
    return data


async def test_a_template_is_kept_as_it_was_given(client: Client) -> None:
    id_ = await template(client)
    data = await client.post("/get/profile_template", {"profile_template_id": id_})
    assert data["name"] == "Customer"
    assert data["metadata"] == {
        "Basic": {
            "Name": {"value": "", "algorithm_updatable": True},
            "City": {"value": "", "algorithm_updatable": True},
        },
        "Service": {"Plan": {"Tier": {"value": "standard", "algorithm_updatable": False}}},
    }
    assert data["create_time"] == data["update_time"]


async def test_templates_are_listed_by_page_newest_first(client: Client) -> None:
    ids = [await template(client) for _ in range(3)]
    first = await client.post("/list/profile_template", {"page": 1, "size": 2})
    second = await client.post("/list/profile_template", {"page": 2, "size": 2})
    listed = [one["id"] for page in (first, second) for one in page["profile_template_list"]]
    assert listed == ids[::-1]
    assert (first["total"], first["size"], first["current"], first["pages"]) == (3, 2, 1, 2)


async def test_binding_gives_a_profile_with_the_templates_values(client: Client) -> None:
    id_ = await bound(client)
    assert await profile(client) == {"Service.Plan.Tier": "standard"}
    await client.post("/bind/profile_template", {"bind_list": [{"user_id": "ada", "profile_template_id": id_}]})
    assert await profile(client) == {"Service.Plan.Tier": "standard"}
    assert await profile(client, "bob") == {}


async def test_an_unknown_template_binds_nobody(client: Client) -> None:
    known = await template(client)
    answer = await client.send(
        "/bind/profile_template",
        {
            "bind_list": [
                {"user_id": "ada", "profile_template_id": known},
                {"user_id": "bob", "profile_template_id": str(uuid4())},
            ]
        },
    )
    assert (answer.status, answer.code) == (404, 40001)
    assert await profile(client) == {}


@pytest.mark.parametrize(
    ("said", "city"), [("Hi! I live in Lyon with my cat.", "Lyon"), ("我现在住在杭州，养了一只猫。", "杭州")]
)
async def test_conversations_fill_open_fields(client: Client, said: str, city: str) -> None:
    await bound(client)
    done = await client.finished((await client.add(said, user="ada"))["task_id"])
    assert done["memory_views"]["profile"] == {"added": 1}
    assert (await profile(client))["Basic.City"] == city


async def test_the_last_word_counts_and_the_old_one_stays_in_the_history(client: Client) -> None:
    await bound(client)
    await client.add("I live in Paris.", user="ada", async_mode=False)
    await client.add("I moved to Lyon last week.", user="ada", async_mode=False)
    assert (await profile(client))["Basic.City"] == "Lyon"


@pytest.mark.parametrize(
    "said", ["Do I live in Paris?", "My sister lives in Paris.", "我妹妹住在巴黎。", "我住在巴黎吗？"]
)
async def test_what_is_not_stated_fills_nothing(client: Client, said: str) -> None:
    await bound(client)
    await client.add(said, user="ada", async_mode=False)
    assert "Basic.City" not in await profile(client)


async def test_in_a_group_everyone_fills_their_own_profile(client: Client) -> None:
    id_ = await template(client)
    await client.post(
        "/bind/profile_template",
        {"bind_list": [{"user_id": user, "profile_template_id": id_} for user in ("ada", "bob")]},
    )
    said: list[Json] = [
        {"role": "user", "role_name": "ada", "content": "I live in Lyon."},
        {"role": "user", "role_name": "bob", "content": "I live in Nantes."},
    ]
    await client.add(*said, user=None, user_id=["ada", "bob"], async_mode=False)
    assert (await profile(client, "ada"))["Basic.City"] == "Lyon"
    assert (await profile(client, "bob"))["Basic.City"] == "Nantes"


async def test_a_locked_field_is_never_changed_by_conversations(client: Client) -> None:
    id_ = await bound(client)
    await edit(client, id_, metadata={"Basic": {"City": {"value": "Rome", "algorithm_updatable": False}}})
    await client.add("I live in Lyon.", user="ada", async_mode=False)
    assert (await profile(client))["Basic.City"] == "Rome"
    await edit(client, id_, metadata={"Basic": {"City": {"value": "Rome", "algorithm_updatable": True}}})
    await client.add("Now I live in Nantes.", user="ada", async_mode=False)
    assert (await profile(client))["Basic.City"] == "Nantes"


async def test_other_kinds_asked_for_leave_profiles_alone(client: Client) -> None:
    await bound(client)
    await client.add("I live in Lyon.", user="ada", async_mode=False, allow_memory_view=["detail_factual"])
    assert "Basic.City" not in await profile(client)


async def test_edits_set_and_clear_fields(client: Client) -> None:
    id_ = await bound(client)
    data = await edit(client, id_, metadata={"Basic": {"Name": {"value": "Ada"}, "City": {"value": "Rome"}}})
    assert data["metadata"]["Basic"]["Name"] == {"value": "Ada", "algorithm_updatable": True}
    assert await profile(client) == {"Basic.Name": "Ada", "Basic.City": "Rome", "Service.Plan.Tier": "standard"}
    await edit(client, id_, remove_fields=["Basic.City"])
    assert await profile(client) == {"Basic.Name": "Ada", "Service.Plan.Tier": "standard"}
    await edit(client, id_, remove_fields=["Basic"])
    assert await profile(client) == {"Service.Plan.Tier": "standard"}


async def test_a_profile_of_an_agent(client: Client) -> None:
    id_ = await template(client, {"Name": "Robo"})
    await client.post("/bind/profile_template", {"bind_list": [{"agent_id": "bot", "profile_template_id": id_}]})
    found = await client.search("name", user=None, agent_id="bot", include_memory_view=["profile"])
    assert [field["memory"] for field in found["profile_detail_list"]] == ["Name: Robo"]


async def test_deleting_a_profile_deletes_what_it_held(client: Client) -> None:
    id_ = await bound(client)
    await client.post("/delete/profile", {"user_id": "ada", "profile_template_id": id_})
    assert await profile(client) == {}
    answer = await client.send("/delete/profile", {"user_id": "ada", "profile_template_id": id_})
    assert (answer.status, answer.code) == (404, 40001)


async def test_deleting_a_template_deletes_its_profiles(client: Client) -> None:
    id_ = await bound(client)
    await client.post("/delete/profile_template", {"profile_template_id": id_})
    assert await profile(client) == {}
    assert (await client.send("/get/profile_template", {"profile_template_id": id_})).code == 40001


async def test_a_changed_template_changes_its_profiles(client: Client) -> None:
    id_ = await bound(client)
    await edit(client, id_, metadata={"Basic": {"City": {"value": "Rome"}}})
    form = {"Basic": {"City": {"value": "nowhere"}, "Language": {"value": "Latin"}}}
    await client.post("/update/profile_template", {"profile_template_id": id_, "name": "New", "metadata": form})
    assert await profile(client) == {"Basic.City": "Rome", "Basic.Language": "Latin"}
    assert (await client.post("/get/profile_template", {"profile_template_id": id_}))["name"] == "New"


async def test_another_projects_template_does_not_exist(api: Api, client: Client) -> None:
    other = await api.client()
    id_ = await bound(client)
    unknown = str(uuid4())
    for path in ("/get/profile_template", "/delete/profile_template", "/update/profile_template"):
        foreign = await other.send(path, {"profile_template_id": id_, "name": "x"})
        missing = await other.send(path, {"profile_template_id": unknown, "name": "x"})
        assert (foreign.status, foreign.code) == (missing.status, missing.code) == (404, 40001)
        assert foreign.message.replace(id_, unknown) == missing.message
    assert (await other.send("/delete/profile", {"user_id": "ada", "profile_template_id": id_})).code == 40001
    assert await profile(client) == {"Service.Plan.Tier": "standard"}


@pytest.mark.parametrize(
    ("path", "body", "code", "named"),
    [
        ("/add/profile_template", {}, 40002, "metadata"),
        ("/add/profile_template", {"metadata": {}}, 40003, "metadata"),
        ("/add/profile_template", {"metadata": []}, 40000, "metadata"),
        ("/add/profile_template", {"metadata": {"a": {"b": {"c": {"d": {"value": 1}}}}}}, 40000, "metadata.a.b.c"),
        ("/add/profile_template", {"metadata": {"a": {"value": {"x": 1}}}}, 40000, "metadata.a.value"),
        ("/add/profile_template", {"metadata": {"a": {"value": "", "algorithm_updatable": 1}}}, 40000, "metadata.a"),
        ("/add/profile_template", {"metadata": {"a.b": "x"}}, 40000, "full stop"),
        ("/get/profile_template", {}, 40002, "profile_template_id"),
        ("/get/profile_template", {"profile_template_id": 5}, 40000, "profile_template_id"),
        ("/get/profile_template", {"profile_template_id": "no id"}, 40001, "no id"),
        ("/list/profile_template", {"page": 0}, 40000, "page"),
        ("/list/profile_template", {"size": 51}, 40000, "size"),
        ("/update/profile_template", {"profile_template_id": "x"}, 40002, "metadata"),
        ("/bind/profile_template", {"bind_list": []}, 40003, "bind_list"),
        ("/bind/profile_template", {"bind_list": [{"profile_template_id": "x"}]}, 40002, "user_id"),
        ("/edit/profile", {"user_id": "a", "profile_template_id": "x"}, 40002, "remove_fields"),
        ("/delete/profile", {"user_id": "a", "agent_id": "b", "profile_template_id": "x"}, 40002, "user_id"),
    ],
)
async def test_bad_input_is_named(client: Client, path: str, body: Json, code: int, named: str) -> None:
    answer = await client.send(path, body)
    assert answer.code == code, answer
    assert named in answer.message


async def test_an_edit_of_an_unknown_field_is_refused(client: Client) -> None:
    id_ = await bound(client)
    for change in ({"metadata": {"Basic": {"Shoe": {"value": "42"}}}}, {"remove_fields": ["Basic.Shoe"]}):
        answer = await client.send("/edit/profile", {"user_id": "ada", "profile_template_id": id_, **change})
        assert answer.code == 40000
        assert "Basic.Shoe" in answer.message


def answering(fields: list[Json]) -> Any:  # noqa: ANN401 - a script of the scripted server
    """Profile questions with these fields, others with nothing found."""

    def script(request: Json) -> Any:  # noqa: ANN401 - an answer
        is_profile = "filledfields" in str(request.get("response_format"))
        return json_answer({"fields": fields} if is_profile else {"memories": []})

    return script


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


async def test_a_language_model_fills_what_no_rule_knows(start: StartService, scripted: ScriptedServer) -> None:
    scripted.answer_with(answering([{"id": "f1", "value": "peanuts", "sources": ["t1"]}]))
    async with start(llm_settings(scripted)) as api:
        client = await api.client()
        await bound(client, metadata={"Health": {"Allergy": {"value": "", "description": "What they can't eat"}}})
        await client.add("Careful, I can't eat peanuts.", user="ada", async_mode=False)
        assert await profile(client) == {"Health.Allergy": "peanuts"}


@pytest.mark.parametrize(
    "field",
    [
        {"id": "f1", "value": "shellfish", "sources": ["t1"]},
        {"id": "f1", "value": "unknown", "sources": ["t1"]},
        {"id": "f1", "value": "peanuts", "sources": ["t9"]},
        {"id": "f7", "value": "peanuts", "sources": ["t1"]},
    ],
)
async def test_what_the_model_makes_up_is_dropped(start: StartService, scripted: ScriptedServer, field: Json) -> None:
    scripted.answer_with(answering([field]))
    async with start(llm_settings(scripted)) as api:
        client = await api.client()
        await bound(client, metadata={"Health": {"Allergy": {"value": ""}}})
        await client.add("Careful, I can't eat peanuts.", user="ada", async_mode=False)
        assert await profile(client) == {}
