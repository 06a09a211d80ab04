"""Whatever is sent, the answer is in the envelope and never a 500."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.api import Client

SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

TEXT = st.text(st.characters(codec=None, categories=None), max_size=30) | st.sampled_from(
    [
        "",
        " ",
        "\x00",
        "\ud800",
        "user",
        "tool",
        "assistant",
        "昨天下午三点",
        "2025-06-10",
        "1e400",
        "a" * 101,
        "'; --",
        "\\",
    ]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**30, 10**400, -(10**400), 1e308, 2**63, -1])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
PART = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["text", "image_url", "file"]) | JSON, "text": TEXT | JSON, "image_url": JSON}
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "system", "tool"]) | JSON,
        "content": TEXT | st.lists(PART, max_size=3) | JSON,
        "chat_time": TEXT | NUMBERS | JSON,
        "role_id": JSON,
        "role_name": TEXT | JSON,
        "tool_calls": JSON | st.lists(st.fixed_dictionaries({"function": JSON}), max_size=2),
        "tool_call_id": JSON,
        "name": JSON,
    },
)
ID = st.just("u") | TEXT | st.lists(TEXT, max_size=3) | JSON
VIEWS = st.lists(st.sampled_from(["profile", "preference", "detail_factual"]) | JSON, max_size=3) | JSON
BODIES = {
    "/add/message": st.fixed_dictionaries(
        {"messages": st.lists(MESSAGE, max_size=3) | JSON},
        optional={
            "user_id": ID,
            "agent_id": ID,
            "conversation_id": TEXT | JSON,
            "app_id": TEXT | JSON,
            "tags": st.lists(TEXT, max_size=3) | JSON,
            "info": st.dictionaries(TEXT, TEXT | NUMBERS | st.lists(TEXT, max_size=2), max_size=3) | JSON,
            "allow_public": JSON,
            "allow_memory_view": VIEWS,
        },
    ),
    "/search/memory": st.fixed_dictionaries(
        {"query": TEXT | JSON},
        optional={
            "user_id": ID,
            "agent_id": ID,
            "conversation_id": TEXT | JSON,
            "memory_limit_number": st.integers(0, 25) | JSON,
            "preference_limit_number": st.integers(0, 25) | JSON,
            "include_preference": JSON,
            "relativity": st.floats(0, 1) | JSON,
            "include_memory_view": VIEWS,
            "filter": JSON,
        },
    ),
    "/get/message": st.fixed_dictionaries(
        {"user_id": ID, "conversation_id": TEXT | JSON}, optional={"message_limit_number": st.integers(0, 51) | JSON}
    ),
    "/get/memory": st.fixed_dictionaries(
        {"user_id": ID},
        optional={
            "agent_id": ID,
            "page": st.integers(0, 3) | JSON,
            "size": st.integers(0, 51) | JSON,
            "include_preference": JSON,
            "include_memory_view": VIEWS,
            "status": st.sampled_from(["activated", "archived"]) | JSON,
            "filter": JSON,
        },
    ),
    "/update/memory": st.fixed_dictionaries(
        {"memory_id": TEXT | st.uuids().map(str) | JSON},
        optional={"content": TEXT | JSON, "title": TEXT | JSON, "status": st.sampled_from(["archived"]) | JSON},
    ),
    "/add/feedback": st.fixed_dictionaries(
        {"user_id": ID, "feedback_content": TEXT | JSON},
        optional={
            "agent_id": ID,
            "conversation_id": TEXT | JSON,
            "feedback_time": TEXT | NUMBERS | JSON,
            "allow_public": JSON,
            "allow_knowledgebase_ids": st.lists(TEXT, max_size=2) | JSON,
        },
    ),
    "/delete/memory": st.fixed_dictionaries(
        {},
        optional={
            "memory_ids": st.lists(TEXT | st.uuids().map(str) | JSON, max_size=3) | JSON,
            "user_id": ID,
            "agent_id": ID,
            "filter": st.dictionaries(TEXT, JSON, max_size=2) | JSON,
            "memory_type": st.sampled_from(["event", "WorkingMemory"]) | JSON,
        },
    ),
    "/extract/memory": st.fixed_dictionaries(
        {"messages": st.lists(MESSAGE, max_size=3) | JSON},
        optional={"extraction_types": st.lists(st.sampled_from(["memory"]) | JSON, max_size=2) | JSON, "model": JSON},
    ),
    "/create/knowledgebase": st.fixed_dictionaries(
        {"knowledgebase_name": TEXT | JSON}, optional={"knowledgebase_description": TEXT | JSON}
    ),
    "/add/knowledgebase-file": st.fixed_dictionaries(
        {"knowledgebase_id": TEXT | st.uuids().map(str) | JSON},
        optional={
            "file": JSON
            | st.lists(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "content": TEXT
                        | st.sampled_from(["aGk=", "data:,x", "http://[", "https://example.com"])
                        | JSON,
                        "name": TEXT | JSON,
                        "type": st.sampled_from(["document", "skill"]) | JSON,
                    },
                ),
                max_size=2,
            )
        },
    ),
    "/get/knowledgebase-file": st.fixed_dictionaries(
        {},
        optional={
            "file_ids": st.lists(TEXT | st.uuids().map(str), max_size=3) | JSON,
            "knowledgebase_id": TEXT | st.uuids().map(str) | JSON,
            "type": JSON,
            "page": NUMBERS | JSON,
            "page_size": NUMBERS | JSON,
        },
    ),
    "/get/status": st.fixed_dictionaries({"task_id": TEXT | st.uuids().map(str) | JSON}),
}


@pytest.mark.parametrize("path", BODIES)
@SETTINGS
@given(data=st.data())
async def test_bodies_of_about_the_right_form(client: Client, path: str, data: st.DataObject) -> None:
    answer = await client.send(path, data.draw(BODIES[path]))
    assert answer.status < 500, answer


@SETTINGS
@given(path=st.sampled_from(sorted(BODIES)), body=JSON)
async def test_any_json(client: Client, path: str, body: object) -> None:
    assert (await client.send(path, body)).status in {400, 404}


@SETTINGS
@given(path=st.sampled_from(sorted(BODIES)), body=st.binary(max_size=60))
async def test_any_bytes(client: Client, path: str, body: bytes) -> None:
    assert (await client.send(path, body)).status == 400
