"""Requests made from our own OpenAPI document, valid and not: every answer is one that the document describes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, Response
from schemathesis.generation import GenerationMode

from tests.conftest import StartService
from tests.knowledge.files import add, encoded, new_base, read
from tests.support.api import Answer, Api, Client, Json
from tests.support.openapi import CONFORMANCE, DOCUMENT, OPERATIONS, Operation
from tests.support.scripted_llm import ScriptedServer, echo_everything
from tests.support.settings import llm_settings

SETTINGS = settings(
    max_examples=5,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SKILL = "---\nname: expenses\ndescription: How travel expenses are filed.\n---\nCollect the receipts.\n"


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedServer]:
    with ScriptedServer(echo_everything) as server:
        yield server


@pytest.fixture(scope="module")
async def service(model: ScriptedServer, start_module: StartService) -> AsyncIterator[Api]:
    """In which every route can succeed."""
    async with start_module(llm_settings(model)) as api:
        yield api


@pytest.fixture(scope="module")
async def admin_key(service: Api) -> str:
    return await service.service.admin_keys.create()


@pytest.fixture(scope="module")
async def caller(service: Api) -> Client:
    return await service.client()


async def answered(case: Case[Any], caller: Client, admin_key: str) -> Response:
    """The answer to a case, which is what the document describes and no internal error."""
    root = str(caller.http.base_url).removesuffix("/api/openmem/v1/")
    key = admin_key if case.path.startswith("/admin") else caller.key
    response = await asyncio.to_thread(case.call, base_url=root, headers={"Authorization": f"Token {key}"})
    assert response.status_code != 500, response.text
    case.validate_response(response, checks=CONFORMANCE)
    return response


TRIED = [
    (operation, mode)
    for operation in OPERATIONS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation.body or operation.query or operation.path_parameters
]


@pytest.mark.parametrize(
    ("operation", "mode"), TRIED, ids=[f"{mode.value}-{operation.label}" for operation, mode in TRIED]
)
@SETTINGS
@given(data=st.data())
async def test_every_answer_is_as_the_document_says(
    caller: Client, admin_key: str, operation: Operation, mode: GenerationMode, data: st.DataObject
) -> None:
    await answered(data.draw(operation.as_strategy(generation_mode=mode)), caller, admin_key)


async def furnished(service: Api, admin_key: str) -> tuple[Client, Json]:
    """A key of a new project, and what there is in it under the names that requests have for it."""
    name = f"project {uuid4().hex}"
    owner = await service.client(name)
    added = await owner.add("I drink oolong tea.", user="ada", async_mode=False)
    memories = (await owner.post("/get/memory", {"user_id": "ada"}))["memory_detail_list"]
    metadata = {"Basic": {"City": {"value": "", "algorithm_updatable": True}}}
    template = (await owner.post("/add/profile_template", {"name": "Customer", "metadata": metadata}))["id"]
    binding = {"user_id": "ada", "profile_template_id": template}
    await owner.post("/bind/profile_template", {"bind_list": [binding]})
    base = await new_base(owner)
    [skill] = await add(owner, base, {"name": "expenses.md", "type": "skill", "content": encoded(SKILL)})
    await read(owner, skill["id"])
    admin = Client(service.http, admin_key)
    root = str(service.http.base_url).removesuffix("/api/openmem/v1/")
    projects = (await get(admin, f"{root}/admin/projects"))["projects"]
    project = next(one["id"] for one in projects if one["name"] == name)
    keys = (await get(admin, f"{root}/admin/projects/{project}/keys"))["keys"]
    return owner, {
        "task_id": added["task_id"],
        "memory_id": memories[0]["id"],
        "memory_ids": [memories[0]["id"]],
        "profile_template_id": template,
        "knowledgebase_id": base,
        "file_ids": [skill["id"]],
        "skill_id": skill["id"],
        "project_id": project,
        "key_id": keys[0]["id"],
    }


@pytest.fixture(scope="module")
async def shared(service: Api, admin_key: str) -> tuple[Client, Json]:
    return await furnished(service, admin_key)


async def get(client: Client, url: str) -> Json:
    data: Json = Answer.of(await client.http.get(url, headers={"Authorization": f"Token {client.key}"})).data
    return data


def with_ids(value: Any, ids: Json) -> Any:  # noqa: ANN401 - JSON
    """The example, with ids that there are in place of its own."""
    if isinstance(value, list):
        return [with_ids(item, ids) for item in value]
    if isinstance(value, dict):
        return {name: ids.get(name, with_ids(item, ids)) for name, item in value.items()}
    return value


def examples(operation: Operation) -> list[Json]:
    """The bodies that the document shows for an operation; none for one without a body."""
    content = operation.definition.raw.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return list((DOCUMENT["components"]["schemas"][name] if name else schema).get("examples", []))


NO_BODY: list[Json | None] = [None]
SHOWN = [(operation, body) for operation in OPERATIONS for body in examples(operation) or NO_BODY]


@pytest.mark.parametrize(("operation", "body"), SHOWN, ids=[operation.label for operation, _ in SHOWN])
async def test_every_example_of_the_document_runs(
    service: Api, admin_key: str, shared: tuple[Client, Json], operation: Operation, body: Json | None
) -> None:
    deletes = operation.method == "delete" or "/delete/" in operation.path
    owner, known = await furnished(service, admin_key) if deletes else shared
    path = {parameter.name: known[parameter.name] for parameter in operation.path_parameters}
    given = {} if body is None else {"body": with_ids(body, known), "media_type": "application/json"}
    response = await answered(operation.Case(path_parameters=path, **given), owner, admin_key)
    assert response.status_code == 200, response.text
