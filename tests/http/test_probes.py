import pytest

from tests.support.api import Answer, Api


@pytest.mark.parametrize("path", ["/ping", "/ping/", "/v1/ping", "/v1/ping/"])
async def test_a_probe_needs_no_key(api: Api, path: str) -> None:
    answer = Answer.of(await api.http.get(path))
    assert (answer.status, answer.data) == (200, "pong")


async def test_a_probe_with_a_key_is_answered_as_well(api: Api) -> None:
    answer = Answer.of(await api.http.get("/ping", headers={"Authorization": "Token none"}))
    assert answer.status == 200
