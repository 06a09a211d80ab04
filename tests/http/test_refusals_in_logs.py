"""What is refused after the key was checked is logged and counted as the route's and the project's."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from memcubed.http.app import BASE_PATH
from memcubed.projects.scopes import Scope
from tests.conftest import StartService
from tests.support.api import Client, eventually
from tests.support.settings import make_settings

LIMIT = 10_000


@pytest.fixture
def _lines_of_requests() -> Iterator[None]:
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    yield
    structlog.configure(wrapper_class=before)


@pytest.mark.usefixtures("_lines_of_requests")
async def test_bodies_too_large_and_keys_of_another_scope_have_route_and_project(start: StartService) -> None:
    async with start(make_settings(max_request_bytes=LIMIT), worker=False) as api:
        projects = api.service.projects
        key = await projects.create_key("shop", timezone="UTC", scopes=frozenset({Scope.READ}))
        project_id = str((await projects.get_project("shop")).id)
        client = Client(api.http, key)
        with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            too_large = await client.send("/search/memory", b" " * (LIMIT + 1))
            assert (too_large.status, too_large.code) == (413, 40301)
            out_of_scope = await client.send("/add/message", {})
            assert (out_of_scope.status, out_of_scope.code) == (403, 40306)
            without_key = await Client(api.http, "mc-none").send("/search/memory", b" " * (LIMIT + 1))
            assert without_key.status == 401

            def requests() -> list[Any]:
                return [line for line in lines if line["event"] == "request"]

            async def are_logged() -> bool:
                return len(requests()) == 3

            await eventually(are_logged)
        assert [
            (line["route"].removeprefix(BASE_PATH), line["status"], line.get("project_id")) for line in requests()
        ] == [
            ("/search/memory", 413, project_id),
            ("/add/message", 403, project_id),
            ("/search/memory", 401, None),
        ]
        root = str(api.http.base_url).split(BASE_PATH)[0]
        counted = (await api.http.get(f"{root}/metrics")).text
        assert '/search/memory",status="413"} 1.0' in counted
