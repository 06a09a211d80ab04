"""Scripts with curl, as the hosted platform's documentation shows them."""

import asyncio
import json

from tests.support.api import Client, Json

ADD = """{
  "user_id": "memos_user_123",
  "conversation_id": "0610",
  "messages": [{"role": "user", "content": "我选七天"}, {"role": "assistant", "content": "好的，有其他问题再问我。"}]
}"""
SEARCH = '{"query": "酒店品牌", "user_id": "memos_user_123", "conversation_id": "0928", "relativity": 0}'


async def curl(client: Client, route: str, *arguments: str, text: str = "") -> tuple[int, Json]:
    """The status, and the JSON that curl prints; `text` is its standard input."""
    process = await asyncio.create_subprocess_exec(
        "curl", "--silent", "--location", "--write-out", "\n%{http_code}",
        "--header", f"Authorization: Token {client.key}", *arguments, f"{client.http.base_url}{route}",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate(text.encode())
    body, _, status = out.decode().rpartition("\n")
    answer: Json = json.loads(body)
    return int(status), answer


JSON = ("--header", "Content-Type: application/json")


async def test_add_and_search(client: Client) -> None:
    status, added = await curl(client, "add/message", "--request", "POST", *JSON, "--data", ADD)
    assert (status, added["message"], added["data"]["success"]) == (200, "ok", True)
    status, found = await curl(client, "search/memory", "--request", "POST", *JSON, "--data-raw", SEARCH)
    assert status == 200
    assert "七天" in found["data"]["memory_detail_list"][0]["memory_value"]


async def test_a_slash_too_many_behind_the_route(client: Client) -> None:
    status, found = await curl(client, "search/memory/", *JSON, "--data", SEARCH)
    assert (status, found["code"]) == (200, 0)


async def test_the_header_that_says_json_may_not_be_forgotten(client: Client) -> None:
    status, answer = await curl(client, "search/memory", "--data", SEARCH)
    assert (status, answer["code"]) == (400, 40000)
    assert "Content-Type: application/json" in answer["message"]


async def test_a_large_body_is_asked_for_first(client: Client) -> None:
    """From a megabyte on, curl sends `Expect: 100-continue` and waits."""
    text = "tea " * 300_000
    body = json.dumps({"user_id": "u", "messages": [{"role": "user", "content": text}]})
    expecting = ("--header", "Expect: 100-continue", "--data", "@-")
    status, answer = await curl(client, "add/message", *JSON, *expecting, text=body)
    assert (status, answer["code"]) == (413, 40305)
