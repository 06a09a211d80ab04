"""Scripts with plain `requests`, as the hosted platform's documentation shows them: only base URL and key differ."""

import asyncio
import gzip
import json
from typing import Any

import pytest
import requests

from tests.support.api import Client, Json, eventually

ADD: Json = {
    "user_id": "memos_user_123",
    "conversation_id": "0610",
    "messages": [
        {"role": "user", "content": "我暑假定好去广州旅游，住宿的话有哪些连锁酒店可选？"},
        {"role": "assistant", "content": "您可以考虑【七天、全季、希尔顿】等等"},
        {"role": "user", "content": "我选七天"},
        {"role": "assistant", "content": "好的，有其他问题再问我。"},
    ],
}
SEARCH: Json = {
    "query": "我国庆想出去玩，帮我推荐个没去过的城市，以及没住过的酒店品牌",
    "user_id": "memos_user_123",
    "conversation_id": "0928",
}


class Script:
    """What a script knows: the base URL and the key."""

    def __init__(self, client: Client) -> None:
        self.base_url = str(client.http.base_url).rstrip("/")
        self.headers = {"Content-Type": "application/json", "Authorization": f"Token {client.key}"}

    async def post(self, route: str, body: object, **headers: str) -> requests.Response:
        """Post as the documentation does: JSON made by hand, in `data`."""
        return await self.send("POST", route, data=json.dumps(body), headers=headers)

    async def send(self, method: str, route: str, *, headers: dict[str, str], **more: Any) -> requests.Response:  # noqa: ANN401 - passed on
        return await asyncio.to_thread(
            requests.request,
            method,
            f"{self.base_url}{route}",
            headers=self.headers | headers,
            timeout=60,
            allow_redirects=False,
            **more,
        )


@pytest.fixture
def script(client: Client) -> Script:
    return Script(client)


def data(response: requests.Response) -> Any:  # noqa: ANN401 - JSON
    body = response.json()
    assert (response.status_code, body["code"], body["message"]) == (200, 0, "ok"), body
    return body["data"]


async def test_the_quick_start_of_the_documentation(script: Script) -> None:
    added = data(await script.post("/add/message", ADD))
    assert added["success"] is True

    async def ended() -> bool:
        return bool(data(await script.post("/get/status", {"task_id": added["task_id"]}))["status"] == "completed")

    await eventually(ended)
    found = data(await script.post("/search/memory", {**SEARCH, "relativity": 0}))
    assert any("七天" in fact["memory_value"] for fact in found["memory_detail_list"])
    question = {"user_id": "memos_user_123", "conversation_id": "0610"}
    messages = data(await script.post("/get/message", question))["message_detail_list"]
    assert [message["content"] for message in messages] == [message["content"] for message in ADD["messages"]]


NULLS = dict.fromkeys(
    ("agent_id", "app_id", "tags", "info", "source", "allow_public", "allow_knowledgebase_ids", "allow_memory_view",
     "filter", "knowledgebase_ids", "relativity", "include_skill", "include_memory_view", "message_limit_number",
     "conversation_limit_number", "async_mode", "model_name", "system_prompt")
)  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        NULLS,
        {"source": "sdk", "framework": "langchain", "internet_search": True, "force_stop": False, "mode": {"a": [1]}},
        {"tags": [], "info": {}, "filter": {}, "knowledgebase_ids": [], "allow_knowledgebase_ids": []},
    ],
    ids=["nulls", "unknown fields", "empty lists and objects"],
)
async def test_what_scripts_send_beside_the_fields_that_count(script: Script, more: Json) -> None:
    added = data(await script.post("/add/message", {**more, **ADD, "async_mode": False}))
    assert added["status"] == "completed"
    assert data(await script.post("/search/memory", {**more, **SEARCH, "relativity": 0}))["memory_detail_list"]
    question = {"user_id": "memos_user_123", "conversation_id": "0610"}
    assert len(data(await script.post("/get/message", {**more, **question}))["message_detail_list"]) == 4
    assert data(await script.post("/get/memory", {**more, "user_id": "memos_user_123"}))["total"]


@pytest.mark.parametrize("scheme", ["Token", "Bearer"])
async def test_both_schemes_of_authorization(script: Script, scheme: str) -> None:
    key = script.headers["Authorization"].removeprefix("Token ")
    data(await script.post("/search/memory", SEARCH, Authorization=f"{scheme} {key}"))


@pytest.mark.parametrize("route", ["/search/memory/", "//search/memory", "/search//memory//"])
async def test_slashes_too_many_are_no_other_route(script: Script, route: str) -> None:
    assert "memory_detail_list" in data(await script.post(route, SEARCH))


async def test_a_slash_too_many_behind_an_id(script: Script) -> None:
    await script.post("/add/message", {**ADD, "async_mode": False})
    page = data(await script.post("/get/memory", {"user_id": "memos_user_123"}))
    memory_id = page["memory_detail_list"][0]["id"]
    assert data(await script.send("GET", f"/get/memory/{memory_id}/", headers={}))["id"] == memory_id


async def test_the_json_argument_and_text_beyond_ascii(script: Script) -> None:
    data(await script.send("POST", "/search/memory", json=SEARCH, headers={}))
    raw = json.dumps(SEARCH, ensure_ascii=False).encode()
    data(await script.send("POST", "/search/memory", data=raw, headers={}))
    data(await script.send("POST", "/search/memory", data=b"\xef\xbb\xbf" + raw, headers={}))  # as Windows writes it


async def test_a_body_in_pieces(script: Script) -> None:
    raw = json.dumps(SEARCH).encode()
    data(await script.send("POST", "/search/memory", data=iter([raw[:10], raw[10:]]), headers={}))


async def test_a_number_may_be_written_with_a_point(script: Script) -> None:
    data(
        await script.send("POST", "/search/memory", data=json.dumps({**SEARCH, "memory_limit_number": 6.0}), headers={})
    )


def refusal(response: requests.Response) -> tuple[int, int, str]:
    body = response.json()
    assert set(body) == {"code", "message", "data"}
    assert body["data"] is None
    return response.status_code, body["code"], body["message"]


async def test_a_compressed_body_is_refused_in_words(script: Script) -> None:
    packed = gzip.compress(json.dumps(SEARCH).encode())
    response = await script.send("POST", "/search/memory", data=packed, headers={"Content-Encoding": "gzip"})
    status, code, message = refusal(response)
    assert (status, code) == (400, 40006)
    assert "Content-Encoding" in message


async def test_an_id_that_is_a_number_is_refused_in_words(script: Script) -> None:
    status, code, message = refusal(await script.post("/search/memory", {**SEARCH, "user_id": 123}))
    assert (status, code, message) == (400, 40000, "user_id must be a string.")


async def test_a_body_that_is_a_form_is_refused_in_words(script: Script) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, code, message = refusal(await script.send("POST", "/search/memory", data=SEARCH, headers=form))
    assert (status, code) == (400, 40000)
    assert "application/json" in message


@pytest.mark.parametrize("header", ["Token wrong", "Bearer wrong"])
async def test_a_wrong_key(script: Script, header: str) -> None:
    status, code, _ = refusal(await script.post("/search/memory", SEARCH, Authorization=header))
    assert (status, code) == (401, 40132)
