"""The document at /openapi.json, and the pages that show it."""

import re
from typing import Any

import pytest

from tests.support.api import Api, Json


def root(api: Api) -> str:
    return str(api.http.base_url).removesuffix("/api/openmem/v1/")


async def document(api: Api) -> Json:
    found: Json = (await api.http.get(f"{root(api)}/openapi.json")).json()
    return found


async def operations(api: Api) -> list[tuple[str, dict[str, Any]]]:
    paths = (await document(api))["paths"]
    return [
        (f"{method} {path}", operation) for path, by_method in paths.items() for method, operation in by_method.items()
    ]


async def test_every_failure_is_the_envelope(api: Api) -> None:
    for name, operation in await operations(api):
        assert "422" not in operation["responses"], name
        for status, response in operation["responses"].items():
            if status.startswith(("4", "5")) and "security" in operation:
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Failure"}, (name, status)
    schemas = (await document(api))["components"]["schemas"]
    assert set(schemas["Failure"]["properties"]) == {"code", "message", "data"}
    assert "HTTPValidationError" not in schemas


async def test_every_route_of_the_contract_wants_a_key(api: Api) -> None:
    open_to_anyone = {name for name, operation in await operations(api) if "security" not in operation}
    assert open_to_anyone == {"get /api/openmem/v1/ping", "get /health/live", "get /health/ready"}


CONTRACT = """
POST add/message, get/status, search/memory, get/memory, update/memory, delete/memory, add/feedback
POST extract/memory, rerank, get/message, chat
POST create/knowledgebase, delete/knowledgebase, add/knowledgebase-file, get/knowledgebase-file
POST delete/knowledgebase-file
POST add/profile_template, get/profile_template, list/profile_template, update/profile_template, delete/profile_template
POST bind/profile_template, edit/profile, delete/profile
GET get/memory/{memory_id}, ping
"""


async def test_every_route_of_the_contract_is_there(api: Api) -> None:
    found = {name for name, _ in await operations(api)}
    for line in CONTRACT.strip().splitlines():
        method, _, routes = line.partition(" ")
        for route in routes.split(", "):
            assert f"{method.lower()} /api/openmem/v1/{route}" in found


async def test_every_route_says_what_it_is_for(api: Api) -> None:
    for name, operation in await operations(api):
        for said in ("summary", "description", "tags"):
            assert operation.get(said), (name, said)


async def test_limits_are_told(api: Api) -> None:
    fields = (await document(api))["components"]["schemas"]["SearchRequest"]["properties"]
    assert (fields["memory_limit_number"]["minimum"], fields["memory_limit_number"]["maximum"]) == (0, 25)
    assert (fields["relativity"]["minimum"], fields["relativity"]["maximum"]) == (0, 1)
    assert fields["user_id"]["anyOf"][0]["maxLength"] == 100


async def test_every_body_has_an_example(api: Api) -> None:
    schemas = (await document(api))["components"]["schemas"]
    for name, operation in await operations(api):
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            assert schemas.get(schema.get("$ref", "").rpartition("/")[2], schema).get("examples"), name


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_the_pages_load_nothing_from_elsewhere(api: Api, page: str) -> None:
    html = (await api.http.get(f"{root(api)}{page}")).text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert addresses
    for address in addresses:
        assert address.startswith("/"), address
        assert (await api.http.get(f"{root(api)}{address}")).status_code == 200, address
