"""What every kind of bad input gets: the contract's code and HTTP status, and a message that names the field."""

from typing import Any

import pytest

from tests.support.api import Answer, Client

ADD, SEARCH, MESSAGES, STATUS = "/add/message", "/search/memory", "/get/message", "/get/status"
EXTRACT, RERANK, FEEDBACK = "/extract/memory", "/rerank", "/add/feedback"
GOOD: dict[str, dict[str, Any]] = {
    ADD: {"user_id": "u", "messages": [{"role": "user", "content": "hello"}]},
    SEARCH: {"user_id": "u", "query": "hello"},
    MESSAGES: {"user_id": "u", "conversation_id": "c"},
    EXTRACT: {"messages": [{"role": "user", "content": "hello"}]},
    FEEDBACK: {"user_id": "u", "feedback_content": "It is 600, not 800"},
    RERANK: {"query": "hello", "documents": ["hello"]},
    STATUS: {"task_id": "8b5f1b0e-9a39-4d3a-8f57-3f4d6a4c2f10"},
}
GONE = object()
HUGE = 10**400


def changed(path: str, **changes: object) -> dict[str, Any]:
    return {name: value for name, value in {**GOOD[path], **changes}.items() if value is not GONE}


def message(**changes: object) -> dict[str, Any]:
    one = {"role": "user", "content": "hello", **changes}
    return {"messages": [{name: value for name, value in one.items() if value is not GONE}]}


def refused(answer: Answer, status: int, code: int, names: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer
    assert names in answer.message


# what is wrong, route, changes to a good body, HTTP status, code, what the message names
FIELDS: list[tuple[str, str, dict[str, Any], int, int, str]] = [
    # a required field is missing or empty
    ("no owner", ADD, {"user_id": GONE}, 400, 40002, "user_id"),
    ("null owner", ADD, {"user_id": None}, 400, 40002, "user_id"),
    ("no messages", ADD, {"messages": GONE}, 400, 40002, "messages"),
    ("null messages", ADD, {"messages": None}, 400, 40002, "messages"),
    ("no role", ADD, message(role=GONE), 400, 40002, "messages[0].role"),
    ("null role", ADD, message(role=None), 400, 40002, "messages[0].role"),
    ("empty role", ADD, message(role=""), 400, 40002, "messages[0].role"),
    ("no content", ADD, message(content=GONE), 400, 40002, "messages[0].content"),
    ("null content", ADD, message(content=None), 400, 40002, "messages[0].content"),
    ("empty content", ADD, message(content=""), 400, 40002, "messages[0].content"),
    ("blank content", ADD, message(content=" \n\t　"), 400, 40002, "messages[0].content"),
    ("no parts", ADD, message(content=[]), 400, 40002, "messages[0].content"),
    ("part without type", ADD, message(content=[{"text": "x"}]), 400, 40002, "messages[0].content[0].type"),
    ("tool result without content", ADD, message(role="tool", content=GONE), 400, 40002, "messages[0].content"),
    ("empty owner", ADD, {"user_id": ""}, 400, 40002, "user_id"),
    ("blank owner", ADD, {"user_id": "  "}, 400, 40002, "user_id"),
    ("empty owner in a list", ADD, {"user_id": ["u", ""]}, 400, 40002, "user_id[1]"),
    ("empty agent", ADD, {"agent_id": ""}, 400, 40002, "agent_id"),
    ("no query", SEARCH, {"query": GONE}, 400, 40002, "query"),
    ("null query", SEARCH, {"query": None}, 400, 40002, "query"),
    ("empty query", SEARCH, {"query": ""}, 400, 40002, "query"),
    ("blank query", SEARCH, {"query": " "}, 400, 40002, "query"),
    ("nobody's search", SEARCH, {"user_id": GONE}, 400, 40002, "user_id"),
    ("no user of messages", MESSAGES, {"user_id": GONE}, 400, 40002, "user_id"),
    ("no conversation", MESSAGES, {"conversation_id": GONE}, 400, 40002, "conversation_id"),
    ("null conversation", MESSAGES, {"conversation_id": None}, 400, 40002, "conversation_id"),
    ("empty conversation", MESSAGES, {"conversation_id": ""}, 400, 40002, "conversation_id"),
    ("no task", STATUS, {"task_id": GONE}, 400, 40002, "task_id"),
    ("empty task", STATUS, {"task_id": " "}, 400, 40002, "task_id"),
    ("nothing to extract from", EXTRACT, {"messages": GONE}, 400, 40002, "messages"),
    ("extraction without content", EXTRACT, message(content=None), 400, 40002, "messages[0].content"),
    ("nothing to rank by", RERANK, {"query": " "}, 400, 40002, "query"),
    ("nothing to rank", RERANK, {"documents": None}, 400, 40002, "documents"),
    ("document without text", RERANK, {"documents": ["a", {"id": 1}]}, 400, 40002, "documents[1].text"),
    ("nobody's feedback", FEEDBACK, {"user_id": GONE}, 400, 40002, "user_id"),
    ("empty feedback", FEEDBACK, {"feedback_content": " "}, 400, 40002, "feedback_content"),
    ("no feedback", FEEDBACK, {"feedback_content": None}, 400, 40002, "feedback_content"),
    # a list is empty
    ("no extraction types", EXTRACT, {"extraction_types": []}, 400, 40003, "extraction_types"),
    ("no documents", RERANK, {"documents": []}, 400, 40003, "documents"),
    ("empty messages", ADD, {"messages": []}, 400, 40003, "messages"),
    ("empty users", ADD, {"user_id": []}, 400, 40003, "user_id"),
    # wrong type or structure
    ("two users' feedback", FEEDBACK, {"user_id": ["a", "b"]}, 400, 40000, "user_id"),
    ("number as feedback", FEEDBACK, {"feedback_content": 5}, 400, 40000, "feedback_content"),
    ("time of no feedback", FEEDBACK, {"feedback_time": "not a time"}, 400, 40000, "feedback_time"),
    ("list as time of feedback", FEEDBACK, {"feedback_time": [1]}, 400, 40000, "feedback_time"),
    ("boolean as time of feedback", FEEDBACK, {"feedback_time": True}, 400, 40000, "feedback_time"),
    ("knowledge bases as text", FEEDBACK, {"allow_knowledgebase_ids": "a"}, 400, 40000, "allow_knowledgebase_ids"),
    ("long user of feedback", FEEDBACK, {"user_id": "x" * 101}, 400, 40010, "user_id"),
    ("long conversation of feedback", FEEDBACK, {"conversation_id": "x" * 101}, 400, 40011, "conversation_id"),
    ("long feedback", FEEDBACK, {"feedback_content": "字" * 40_001}, 413, 40305, "feedback_content"),
    ("image to extract from", EXTRACT, message(content=[{"type": "image_url", "image_url": {"url": "https://x"}}]),
     400, 40006, "messages[0].content[0].type"),
    ("unknown extraction type", EXTRACT, {"extraction_types": ["memory", "dream"]}, 400, 40006, "extraction_types[1]"),
    ("extraction types as text", EXTRACT, {"extraction_types": "memory"}, 400, 40000, "extraction_types"),
    ("number as model", EXTRACT, {"model": 1}, 400, 40000, "model"),
    ("documents as text", RERANK, {"documents": "a"}, 400, 40000, "documents"),
    ("number as document", RERANK, {"documents": ["a", 7]}, 400, 40000, "documents[1]"),
    ("null as document", RERANK, {"documents": [None]}, 400, 40000, "documents[0]"),
    ("number as text", RERANK, {"documents": [{"text": 7}]}, 400, 40000, "documents[0]"),
    ("none of the best", RERANK, {"top_n": 0}, 400, 40000, "top_n"),
    ("half of the best", RERANK, {"top_n": 1.5}, 400, 40000, "top_n"),
    ("1001 documents", RERANK, {"documents": ["a"] * 1001}, 400, 40000, "documents"),
    ("number as user", ADD, {"user_id": 7}, 400, 40000, "user_id"),
    ("huge number as user", ADD, {"user_id": HUGE}, 400, 40000, "user_id"),
    ("object as user", ADD, {"user_id": {}}, 400, 40000, "user_id"),
    ("null among users", ADD, {"user_id": ["u", None]}, 400, 40000, "user_id[1]"),
    ("21 users", ADD, {"user_id": [f"u{number}" for number in range(21)]}, 400, 40000, "user_id"),
    ("messages as text", ADD, {"messages": "hello"}, 400, 40000, "messages"),
    ("messages as object", ADD, {"messages": {"role": "user"}}, 400, 40000, "messages"),
    ("text among messages", ADD, {"messages": ["hello"]}, 400, 40000, "messages[0]"),
    ("null among messages", ADD, {"messages": [None]}, 400, 40000, "messages[0]"),
    ("unknown role", ADD, message(role="robot"), 400, 40000, "messages[0].role"),
    ("role in capitals", ADD, message(role="User"), 400, 40000, "messages[0].role"),
    ("list as role", ADD, message(role=["user"]), 400, 40000, "messages[0].role"),
    ("object as role", ADD, message(role={}), 400, 40000, "messages[0].role"),
    ("number as role", ADD, message(role=1), 400, 40000, "messages[0].role"),
    ("number as content", ADD, message(content=5), 400, 40000, "messages[0].content"),
    ("boolean as content", ADD, message(content=True), 400, 40000, "messages[0].content"),
    ("object as content", ADD, message(content={"text": "x"}), 400, 40000, "messages[0].content"),
    ("text among parts", ADD, message(content=["x"]), 400, 40000, "messages[0].content[0]"),
    ("text part without text", ADD, message(content=[{"type": "text"}]), 400, 40000, "messages[0].content[0].text"),
    ("part of a list's type", ADD, message(content=[{"type": []}]), 400, 40006, "messages[0].content[0].type"),
    ("unknown part", ADD, message(content=[{"type": "video"}]), 400, 40006, "messages[0].content[0].type"),
    ("tool calls as text", ADD, message(tool_calls="f"), 400, 40000, "messages[0].tool_calls"),
    ("text among tool calls", ADD, message(tool_calls=["f"]), 400, 40000, "messages[0].tool_calls[0]"),
    ("number as speaker", ADD, message(role_name=5), 400, 40000, "messages[0].role_name"),
    ("list as tool call id", ADD, message(tool_call_id=[]), 400, 40000, "messages[0].tool_call_id"),
    ("tags as text", ADD, {"tags": "travel"}, 400, 40000, "tags"),
    ("number among tags", ADD, {"tags": ["a", 1]}, 400, 40000, "tags[1]"),
    ("null among tags", ADD, {"tags": [None]}, 400, 40000, "tags[0]"),
    ("info as list", ADD, {"info": ["a"]}, 400, 40000, "info"),
    ("nested info", ADD, {"info": {"a": {"b": 1}}}, 400, 40000, "info.a"),
    ("numbers in info's list", ADD, {"info": {"a": [1]}}, 400, 40000, "info.a"),
    ("allow_public as list", ADD, {"allow_public": []}, 400, 40000, "allow_public"),
    ("async_mode as word", ADD, {"async_mode": "perhaps"}, 400, 40000, "async_mode"),
    ("number as conversation", ADD, {"conversation_id": 610}, 400, 40000, "conversation_id"),
    ("number as app", ADD, {"app_id": 1}, 400, 40000, "app_id"),
    ("views as text", ADD, {"allow_memory_view": "preference"}, 400, 40000, "allow_memory_view"),
    ("unknown view", ADD, {"allow_memory_view": ["dreams"]}, 400, 40006, "allow_memory_view[0]"),
    ("thirteenth month", ADD, message(chat_time="2025年13月1日"), 400, 40000, "messages[0].chat_time"),
    ("list among views", ADD, {"allow_memory_view": [["preference"]]}, 400, 40006, "allow_memory_view"),
    ("object among views", SEARCH, {"include_memory_view": [{}]}, 400, 40006, "include_memory_view"),
    ("number as query", SEARCH, {"query": 5}, 400, 40000, "query"),
    ("two users in a search", SEARCH, {"user_id": ["a", "b"]}, 400, 40000, "user_id"),
    ("limit over 25", SEARCH, {"memory_limit_number": 26}, 400, 40000, "memory_limit_number"),
    ("negative limit", SEARCH, {"preference_limit_number": -1}, 400, 40000, "preference_limit_number"),
    ("huge limit", SEARCH, {"memory_limit_number": HUGE}, 400, 40000, "memory_limit_number"),
    ("fraction as limit", SEARCH, {"memory_limit_number": 6.5}, 400, 40000, "memory_limit_number"),
    ("word as limit", SEARCH, {"memory_limit_number": "six"}, 400, 40000, "memory_limit_number"),
    ("list as limit", SEARCH, {"memory_limit_number": []}, 400, 40000, "memory_limit_number"),
    ("51 messages", MESSAGES, {"message_limit_number": 51}, 400, 40000, "message_limit_number"),
    ("no messages asked for", MESSAGES, {"message_limit_number": 0}, 400, 40000, "message_limit_number"),
    ("number as task", STATUS, {"task_id": 5}, 400, 40000, "task_id"),
    # ids longer than 100 characters
    ("long user", ADD, {"user_id": "x" * 101}, 400, 40010, "user_id"),
    ("long user in a list", ADD, {"user_id": ["u", "人" * 101]}, 400, 40010, "user_id[1]"),
    ("long agent", ADD, {"agent_id": "x" * 101}, 400, 40010, "agent_id"),
    ("long app", ADD, {"app_id": "x" * 101}, 400, 40010, "app_id"),
    ("long speaker's id", ADD, message(role_id="x" * 101), 400, 40010, "messages[0].role_id"),
    ("long speaker's name", ADD, message(role_name="x" * 101), 400, 40010, "messages[0].role_name"),
    ("long conversation", ADD, {"conversation_id": "x" * 101}, 400, 40011, "conversation_id"),
    ("long searcher", SEARCH, {"user_id": "x" * 101}, 400, 40010, "user_id"),
    ("long conversation of a search", SEARCH, {"conversation_id": "x" * 101}, 400, 40011, "conversation_id"),
    ("long reader", MESSAGES, {"user_id": "x" * 101}, 400, 40010, "user_id"),
    ("long conversation to read", MESSAGES, {"conversation_id": "x" * 101}, 400, 40011, "conversation_id"),
    # relativity
    ("relativity over 1", SEARCH, {"relativity": 1.01}, 400, 40012, "relativity"),
    ("relativity under 0", SEARCH, {"relativity": -0.01}, 400, 40012, "relativity"),
    ("word as relativity", SEARCH, {"relativity": "0.5"}, 400, 40012, "relativity"),
    ("boolean as relativity", SEARCH, {"relativity": True}, 400, 40012, "relativity"),
    ("huge relativity", SEARCH, {"relativity": HUGE}, 400, 40012, "relativity"),
    # times that are none
    ("nonsense time", ADD, message(chat_time="not a time"), 400, 40000, "messages[0].chat_time"),
    ("13th month", ADD, message(chat_time="2025-13-01"), 400, 40000, "messages[0].chat_time"),
    ("30 February", ADD, message(chat_time="2025-02-30 10:00:00"), 400, 40000, "messages[0].chat_time"),
    ("25 o'clock", ADD, message(chat_time="2025-06-10 25:00:00"), 400, 40000, "messages[0].chat_time"),
    ("empty time", ADD, message(chat_time=""), 400, 40000, "messages[0].chat_time"),
    ("boolean as time", ADD, message(chat_time=True), 400, 40000, "messages[0].chat_time"),
    ("list as time", ADD, message(chat_time=[2025]), 400, 40000, "messages[0].chat_time"),
    ("year 9999", ADD, message(chat_time="9999-12-31T23:59:59Z"), 400, 40000, "messages[0].chat_time"),
    ("year 1", ADD, message(chat_time="0001-01-01T00:00:00+14:00"), 400, 40000, "messages[0].chat_time"),
    ("huge epoch", ADD, message(chat_time=HUGE), 400, 40000, "messages[0].chat_time"),
    ("huge epoch as text", ADD, message(chat_time="9" * 90), 400, 40000, "messages[0].chat_time"),
    ("infinite epoch as text", ADD, message(chat_time="inf"), 400, 40000, "messages[0].chat_time"),
    ("a novel as time", ADD, message(chat_time="yesterday " * 100), 400, 40000, "messages[0].chat_time"),
    ("time of the second message", ADD, {"messages": [*message()["messages"], *message(chat_time="x")["messages"]]},
     400, 40000, "messages[1].chat_time"),
    # text that can't be stored
    ("NUL in content", ADD, message(content="a\x00b"), 400, 40000, "messages[0].content"),
    ("NUL in user", ADD, {"user_id": "\x00"}, 400, 40000, "user_id"),
    ("NUL in query", SEARCH, {"query": "a\x00"}, 400, 40000, "query"),
    ("NUL in an unknown field's name", ADD, {"a\x00": 1}, 400, 40000, "body"),
    ("NUL in a tool call", ADD, message(role="assistant", tool_calls=[{"function": {"arguments": "\x00"}}]), 400, 40000,
     "messages[0].tool_calls[0].function.arguments"),
    ("half a surrogate pair", ADD, message(content="\ud800"), 400, 40000, "messages[0].content"),
    ("half a surrogate pair in info", ADD, {"info": {"a": ["\udfff"]}}, 400, 40000, "info.a[0]"),
    ("half a surrogate pair in a query", SEARCH, {"query": "x\udc00"}, 400, 40000, "query"),
    # numbers that are none
    ("NaN", ADD, {"info": {"a": float("nan")}}, 400, 40000, "info.a"),
    ("infinity", ADD, {"info": {"a": float("inf")}}, 400, 40000, "info.a"),
    ("infinity in an unknown field", SEARCH, {"temperature": float("-inf")}, 400, 40000, "temperature"),
    ("NaN as relativity", SEARCH, {"relativity": float("nan")}, 400, 40000, "relativity"),
    # over the limits
    ("one long message", ADD, message(content="字" * 40_001), 413, 40305, "messages[0].content"),
    ("many messages", ADD, {"messages": [{"role": "user", "content": "字" * 20_001}] * 2}, 413, 40301, "messages"),
    ("one long message to extract from", EXTRACT, message(content="字" * 8_001), 413, 40305, "messages[0].content"),
    ("much to extract from", EXTRACT, {"messages": [{"role": "user", "content": "字" * 4_001}] * 2}, 413, 40301,
     "messages"),
    ("one long document", RERANK, {"documents": ["a", "字" * 40_001]}, 413, 40305, "documents[1]"),
    ("long documents", RERANK, {"documents": ["字" * 20_000] * 2}, 413, 40301, "documents"),
    ("long query", SEARCH, {"query": "字" * 40_001}, 413, 40305, "query"),
    ("51 levels", ADD, {"source": eval("[" * 51 + "]" * 51)}, 400, 40000, "source"),  # noqa: S307 - a constant
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "changes", "status", "code", "names"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS]
)
async def test_a_bad_field_is_named(
    client: Client, path: str, changes: dict[str, Any], status: int, code: int, names: str
) -> None:
    refused(await client.send(path, changed(path, **changes)), status, code, names)


@pytest.mark.parametrize(
    ("path", "changes", "message"),
    [
        (ADD, {"async_mode": "maybe"}, "async_mode must be true or false."),
        (ADD, {"tags": "x"}, "tags must be a list."),
        (SEARCH, {"query": {"x": 1}}, "query must be a string."),
        (SEARCH, {"memory_limit_number": "5"}, "memory_limit_number must be a whole number."),
        (SEARCH, {"arms": ["foo"]}, "arms[0] must be one of vectors, words, conversation, time, names."),
    ],
)
async def test_a_wrong_type_is_told_with_the_right_one(
    client: Client, path: str, changes: dict[str, Any], message: str
) -> None:
    refused(await client.send(path, changed(path, **changes)), 400, 40000, message)


BODIES: list[tuple[str, bytes, int, str]] = [
    ("cut JSON", b'{"user_id": "u"', 40000, "JSON"),
    ("no JSON", b"hello", 40000, "JSON"),
    ("single quotes", b"{'user_id': 'u'}", 40000, "JSON"),
    ("trailing comma", b'{"user_id": "u",}', 40000, "JSON"),
    ("two objects", b"{}{}", 40000, "JSON"),
    ("list", b"[1]", 40000, "object"),
    ("empty list", b"[]", 40000, "object"),
    ("text", b'"hello"', 40000, "object"),
    ("number", b"5", 40000, "object"),
    ("true", b"true", 40000, "object"),
    ("NaN", b"NaN", 40000, "object"),
    ("null", b"null", 40000, "object"),
    ("nothing", b"", 40002, "body"),
    ("empty object", b"{}", 40002, " is required"),
    ("invalid UTF-8", b'{"user_id": "\xff\xfe"}', 40000, "body"),
    ("a byte of Latin-1", '{"user_id": "café"}'.encode("latin-1"), 40000, "body"),
    ("a number of 5000 digits", b'{"user_id": ' + b"9" * 5000 + b"}", 40000, "body"),
    ("10,000 levels of lists", b"[" * 10_000 + b"]" * 10_000, 40000, "The body is nested"),
    ("10,000 levels of objects", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 40000, "The body is nested"),
    ("900 levels in a field", b'{"user_id":' + b"[" * 900 + b"]" * 900 + b"}", 40000, "nested"),
]


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize(("body", "code", "names"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
async def test_a_bad_body_is_described(client: Client, path: str, body: bytes, code: int, names: str) -> None:
    refused(await client.send(path, body), 400, code, names)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_of_another_content_type_is_refused(client: Client, content_type: str) -> None:
    answer = await client.send(SEARCH, GOOD[SEARCH], Content_Type=content_type)
    refused(answer, 400, 40000, "Content-Type: application/json")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON"]
)
async def test_every_way_to_say_json_is_taken(client: Client, content_type: str) -> None:
    assert (await client.send(SEARCH, GOOD[SEARCH], Content_Type=content_type)).code == 0


@pytest.mark.parametrize("path", ["/nothing", "/add/messages", "/search/memory/x", "/%00", "/" + "x" * 3000])
async def test_an_unknown_route_is_not_found(client: Client, path: str) -> None:
    refused(await client.send(path, {}), 404, 40001, "no route POST")


async def test_the_root_is_no_route(client: Client) -> None:
    root = str(client.http.base_url).removesuffix("api/openmem/v1/")
    refused(Answer.of(await client.http.get(root)), 404, 40001, "no route GET /")


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_wrong_method_is_refused(client: Client, method: str, path: str) -> None:
    answer = Answer.of(await client.http.request(method, path))
    refused(answer, 405, 40000, method)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_a_bad_idempotency_key_is_named(client: Client, key: str) -> None:
    refused(await client.send(ADD, GOOD[ADD], Idempotency_Key=key), 400, 40000, "idempotency-key")


OPTIONAL = {
    ADD: ("agent_id", "conversation_id", "app_id", "tags", "info", "allow_public", "allow_memory_view", "async_mode",
          "allow_knowledgebase_ids", "source"),
    SEARCH: ("agent_id", "conversation_id", "memory_limit_number", "include_preference", "preference_limit_number",
             "relativity", "include_memory_view", "filter", "knowledgebase_ids", "include_tool_memory",
             "tool_memory_limit_number", "include_skill", "skill_limit_number", "context_format"),
    MESSAGES: ("message_limit_number", "source"),
}  # fmt: skip


@pytest.mark.parametrize("path", OPTIONAL)
async def test_null_means_absent(client: Client, path: str) -> None:
    await client.post(path, {**GOOD[path], **dict.fromkeys(OPTIONAL[path])})


async def test_null_means_absent_in_a_message(client: Client) -> None:
    names = ("chat_time", "role_id", "role_name", "tool_calls", "tool_call_id", "name")
    await client.post(ADD, {"user_id": "u", "messages": [{"role": "user", "content": "hi", **dict.fromkeys(names)}]})


@pytest.mark.parametrize("path", [ADD, SEARCH, MESSAGES])
async def test_unknown_fields_are_ignored(client: Client, path: str) -> None:
    await client.post(path, {**GOOD[path], "source": "sdk", "internet_search": True, "framework": {"name": ["x"]}})


@pytest.mark.parametrize("length", [1, 100])
async def test_ids_of_up_to_100_characters_are_taken(client: Client, length: int) -> None:
    text = "人" * length
    body = {**GOOD[ADD], "user_id": [text], "agent_id": text, "conversation_id": text, "app_id": text}
    await client.post(ADD, body)
    await client.post(SEARCH, {"query": "x", "user_id": text, "agent_id": text, "conversation_id": text})
    await client.post(MESSAGES, {"user_id": text, "conversation_id": text, "message_limit_number": 50})


async def test_the_longest_message_is_taken(client: Client) -> None:
    await client.post(ADD, changed(ADD, **message(content="字" * 40_000)))


@pytest.mark.parametrize(
    "text",
    ["ส" * 3000, "क" * 3000, "é" * 3000, "a" * 9000, "🙂" * 2000, "𠀀" * 2000, "'\\':*&|!()<->" * 200, "a.b" * 3000],
    ids=["Thai", "Hindi", "accents", "one word", "emoji", "rare characters", "operators", "dots"],
)
async def test_words_of_any_length_and_script_are_stored_and_asked_for(client: Client, text: str) -> None:
    await client.finished((await client.add(text))["task_id"])
    await client.search(text[:2000])


async def test_a_query_of_very_many_words_is_answered(client: Client) -> None:
    await client.add("word42 and word43")
    found = await client.search(" ".join(f"word{number}" for number in range(15_000)))
    assert found["memory_detail_list"]
