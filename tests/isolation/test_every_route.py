"""No call with a project's key, whatever it names, reads, changes, deletes or reveals anything of another project.

Each call is made twice: with ids that the other project has, and with ids that nobody has. The answers must be alike.
"""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.routing import BaseRoute, Mount, Route

from memcubed.bootstrap import DatabaseUrls, Service, create_http
from memcubed.http.app import BASE_PATH
from memcubed.knowledge.links import LinkService
from memcubed.projects.scopes import Scope
from tests.conftest import StartService
from tests.isolation.recipes import OUTSIDE, RECIPES, Effect, Recipe
from tests.isolation.world import MARK, NAMES, Ids, Theirs, World, at_rest, build, fill, ids_of, rows_of
from tests.knowledge.files import add_text, encoded, new_base
from tests.support.api import Api, Client, Json
from tests.support.scripted_llm import Answer, ScriptedServer, echo_extraction, json_answer, text_answer
from tests.support.settings import llm_settings, make_settings

OUR_NAMES = {kind: f"{kind}-ours" for kind in NAMES}
VOLATILE = {"date", "x-request-id", "ratelimit", "ratelimit-policy", "content-length"}
EXAMPLES = settings(
    max_examples=5,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


NOTHING = {"fields": [], "action": "none"}
"""A profile's or feedback's reading that finds nothing."""


def script(request: Json) -> Answer:
    if request.get("stream"):
        return text_answer("Good day.")
    data = str(request["messages"][-1])
    is_conversation = '"turns"' in data and '"role": "user"' in data
    return echo_extraction(request) if is_conversation else json_answer(NOTHING)


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedServer]:
    with ScriptedServer(script) as running:
        yield running


@pytest.fixture(scope="module")
async def service(start_module: StartService, model: ScriptedServer) -> AsyncIterator[Api]:
    async with start_module(llm_settings(model)) as running:
        yield running


@pytest.fixture(scope="module")
async def world(service: Api) -> World:
    return await build(service)


@dataclass(frozen=True, slots=True)
class Caller:
    """A project that knows the other's ids, and its keys."""

    client: Client
    reader: Client
    ids: Ids


async def new_caller(service: Api) -> Caller:
    """A caller of a new project."""
    side = await fill(service, "papayafox", names=OUR_NAMES)
    read_only = frozenset({Scope.READ})
    key = await service.service.projects.create_key(side.project.name, timezone="UTC", scopes=read_only)
    await at_rest(service)
    ours = Ids({kind: known or (str(uuid4()),) for kind, known in ids_of(service, side.project_id).items()})
    return Caller(side.client, Client(service.http, key), ours)


@pytest.fixture(scope="module")
async def reading_caller(service: Api) -> Caller:
    return await new_caller(service)


@pytest.fixture
async def caller(service: Api, world: World, reading_caller: Caller, route: tuple[str, str]) -> Caller:
    """For each writing route a new project, so that what one call made is in no other's way."""
    del world  # which is there first
    return await new_caller(service) if RECIPES[route].effect is Effect.WRITES else reading_caller


async def ask(client: Client, route: tuple[str, str], call: Json) -> tuple[httpx.Response, str]:
    """The answer, and all that was sent."""
    method, path = route
    url = str(client.http.base_url).split(BASE_PATH)[0] + path.format(**call.get("path", {}))
    sent = {name: value for name, value in call.items() if name != "path"}
    headers = {"Authorization": f"Token {client.key}"}
    answer = await client.http.request(method, url, headers=headers, **sent)
    return answer, json.dumps(call, default=str) + url


def shown(answer: httpx.Response) -> str:
    return json.dumps(dict(answer.headers)) + answer.text


def alike(answer: httpx.Response, ids: Ids, recipe: Recipe) -> object:
    """What must be the same for ids of another project and for ids that nobody has."""
    whole = recipe.effect is not Effect.WRITES
    headers = {name for name in answer.headers if name not in VOLATILE}
    kept = {name: answer.headers[name] for name in ("content-type", "cache-control", "etag") if name in answer.headers}
    if answer.headers.get("content-type") != "application/json":
        return answer.status_code, headers, kept, ids.hide(answer.text) if whole else None
    body = json.loads(ids.hide(answer.text))
    body.pop(recipe.made, None)
    if not whole and answer.status_code == httpx.codes.OK:
        body = shape(body)
    return answer.status_code, headers, kept, body


def shape(value: object) -> object:
    """A JSON value without what differs between two of the same things."""
    match value:
        case Mapping():
            return {key: shape(item) for key, item in value.items()}
        case list():
            return [shape(item) for item in value]
        case _:
            return type(value).__name__


def routes_of(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Every method and path of the application, with those that its OpenAPI document leaves out."""
    for route in routes:
        match route:
            case APIRoute() | Route():
                yield from ((method, route.path) for method in route.methods or () if method != "HEAD")
            case Mount():
                yield "GET", route.path
            case _:
                included: Any = route  # as FastAPI keeps the routers that it includes
                contexts = included.effective_route_contexts()
                yield from ((method, context.path) for context in contexts for method in context.methods)


def test_no_route_is_forgotten() -> None:
    nowhere = DatabaseUrls("postgresql://nobody@127.0.0.1:1/none", "postgresql://nobody@127.0.0.1:1/none")
    application = create_http(Service(make_settings(), nowhere), with_worker=False)
    found = {(method, path.rstrip("/")) for method, path in routes_of(application.routes)}
    assert found - set(RECIPES) == set(), "write a recipe in recipes.py: how the route is called with another's ids"
    assert set(RECIPES) - found == set(), "these routes are gone"


@pytest.mark.parametrize("route", [route for route in RECIPES if route not in OUTSIDE], ids=" ".join)
@EXAMPLES
@given(data=st.data())
async def test_a_route(
    world: World, caller: Caller, model: ScriptedServer, route: tuple[str, str], data: st.DataObject
) -> None:
    await check(world, caller, model, route, data.draw(RECIPES[route].calls))


@pytest.mark.parametrize("route", OUTSIDE, ids=" ".join)
@settings(EXAMPLES, max_examples=2)
@given(data=st.data())
async def test_a_route_that_is_for_no_project(
    world: World, caller: Caller, model: ScriptedServer, route: tuple[str, str], data: st.DataObject
) -> None:
    await check(world, caller, model, route, data.draw(RECIPES[route].calls))


async def check(world: World, caller: Caller, model: ScriptedServer, route: tuple[str, str], call: Json) -> None:
    """Make a call with their ids, and with nobody's."""
    recipe = RECIPES[route]
    asked = len(model.chats)
    answers = []
    for ids in (world.ids, world.unknown):
        answer, sent = await ask(caller.client, route, ids.render(call, caller.ids))
        assert answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR, answer.text
        world.assert_tells_nothing(shown(answer), sent)
        answers.append(alike(answer, ids, recipe))
    if recipe.effect is not Effect.OPEN:
        assert answers[0] == answers[1]
    if recipe.effect is Effect.REFUSES:
        assert answer.status_code == httpx.codes.UNAUTHORIZED
    if recipe.effect is Effect.WRITES:
        refused, _ = await ask(caller.reader, route, world.ids.render(call, caller.ids))
        assert refused.status_code == httpx.codes.FORBIDDEN, refused.text
    await at_rest(world.api)
    world.assert_untouched()
    assert MARK not in json.dumps(model.chats[asked:], ensure_ascii=False)


OWN_CALLS = [
    ("/search/memory", {"query": "harbour gate", "user_id": "ada", "relativity": 0, "knowledgebase_ids": ["all"]}),
    ("/get/memory", {"user_id": Theirs("user")}),
    ("/get/message", {"user_id": Theirs("user"), "conversation_id": Theirs("conversation")}),
    ("/get/profile_template", {"profile_template_id": Theirs("template")}),
    ("/get/knowledgebase-file", {"knowledgebase_id": Theirs("base")}),
]


@pytest.mark.parametrize(("path", "body"), OWN_CALLS, ids=[path for path, _ in OWN_CALLS])
async def test_with_their_own_key_it_is_there(world: World, path: str, body: Json) -> None:
    answer = await world.theirs.client.send(path, world.ids.render(body, world.ids))
    assert MARK in json.dumps(answer.data)


async def test_with_their_own_key_the_model_is_told(world: World, model: ScriptedServer) -> None:
    asked = len(model.chats)
    body = {"user_id": "ada", "conversation_id": "c", "query": "harbour gate", "relativity": 0}
    await world.theirs.client.post("/chat", {**body, "add_message_on_answer": False})
    assert MARK in json.dumps(model.chats[asked:])


async def test_an_idempotency_key_of_another_project_is_a_new_one(service: Api) -> None:
    ours, theirs = await service.client(), await service.client()
    body = {"user_id": "ada", "messages": [{"role": "user", "content": "I keep bees."}]}
    first = await theirs.post("/add/message", body, idempotency_key="k")
    assert (await theirs.post("/add/message", body, idempotency_key="k"))["task_id"] == first["task_id"]
    other = {**body, "messages": [{"role": "user", "content": "I keep ants."}]}
    assert (await ours.post("/add/message", other, idempotency_key="k"))["task_id"] != first["task_id"]
    assert [message["content"] for message in await theirs.messages(user="ada")] == ["I keep bees."]
    assert [message["content"] for message in await ours.messages(user="ada")] == ["I keep ants."]


async def test_what_runs_in_another_project_is_no_repetition(start: StartService) -> None:
    async with start(worker=False) as api:
        ours, theirs = await api.client(), await api.client()
        sent = [await client.add("I keep bees.") for client in (theirs, ours)]
        assert sent[0]["task_id"] != sent[1]["task_id"]


async def test_a_linked_knowledge_base_is_read_and_nothing_beside_it(start: StartService) -> None:
    async with start() as api:
        theirs = await fill(api, MARK, names={kind: pair[0] for kind, pair in NAMES.items()})
        ours = await fill(api, "papayafox", names=OUR_NAMES)
        shared = await new_base(theirs.client, "Shared")
        await add_text(theirs.client, shared, "The harbour gate opens at noon.")
        await at_rest(api)
        before = rows_of(api, theirs.project_id)
        await LinkService(api.service.database).link(theirs.project, shared, ours.project)
        found = await ours.client.search("harbour gate", user="ada", knowledgebase_ids=["all"], memory_limit_number=25)
        assert "opens at noon" in json.dumps(found)
        assert MARK not in json.dumps(found)
        files = await ours.client.post("/get/knowledgebase-file", {"knowledgebase_id": shared})
        body = {"knowledgebase_id": shared, "file": [{"name": "a.txt", "content": encoded("No.")}]}
        told = {"user_id": "ada", "allow_knowledgebase_ids": [shared]}
        memory_id = next(memory["id"] for memory in found["memory_detail_list"] if "noon" in memory["memory_value"])
        for path, call in (
            ("/add/knowledgebase-file", body),
            ("/delete/knowledgebase", {"knowledgebase_id": shared}),
            ("/delete/knowledgebase-file", {"file_ids": [files["file_detail_list"][0]["id"]]}),
            ("/add/message", {**told, "messages": [{"role": "user", "content": "It opens at one."}]}),
            ("/add/feedback", {**told, "feedback_content": "It opens at one, not at noon."}),
            ("/update/memory", {"memory_id": memory_id, "content": "It opens at one."}),
            ("/delete/memory", {"memory_ids": [memory_id]}),
        ):
            assert (await ours.client.send(path, call)).status in {403, 404}, path
        await at_rest(api)
        assert rows_of(api, theirs.project_id) == before
