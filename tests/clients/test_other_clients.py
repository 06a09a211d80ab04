"""What other official clients of the platform send: its MCP server in Node, its agent plugins, its command line.

They themselves were not run: these are requests in their form, written down from memory.
"""

import pytest

from tests.support.api import Answer, Client, Json

CONVERSATION: Json = {"user_id": "ada@example.com", "conversation_id": "5f4dcc3b5aa765d61d8327deb882cf99"}
MESSAGES = [
    {"role": "user", "content": "I drink oolong tea in the evening.", "chat_time": "2026-11-22 09:30:00"},
    {"role": "assistant", "content": "Noted.", "chat_time": "2026-11-22 09:30:05"},
]


class TestMcpServer:
    """Its tools are add_message, search_memory and get_message; it names itself in `source`."""

    async def test_it_adds_searches_and_gets(self, client: Client) -> None:
        extra = {"conversation_first_message": "I drink oolong tea in the evening.", "source": "MCP"}
        added = await client.post("/add/message", {**CONVERSATION, **extra, "messages": MESSAGES})
        assert added["success"] is True
        search = {**CONVERSATION, **extra, "query": "tea", "memory_limit_number": 6, "relativity": 0}
        assert (await client.post("/search/memory", search))["memory_detail_list"]
        got = await client.post("/get/message", {**CONVERSATION, **extra})
        assert [message["role"] for message in got["message_detail_list"]] == ["user", "assistant"]

    async def test_its_key_may_come_as_bearer(self, client: Client) -> None:
        headers = {"Authorization": f"Bearer {client.key}"}
        found = Answer.of(await client.http.post("/get/message", json=CONVERSATION, headers=headers))
        assert found.data == {"message_detail_list": []}


class TestAgentPlugin:
    """It searches before each run of an agent, and adds the exchange after it."""

    async def test_it_searches_and_adds(self, client: Client) -> None:
        search = {
            "user_id": "openclaw-user",
            "query": "What do I drink?",
            "source": "openclaw",
            "conversation_id": "agent:main:telegram:12345",
            "knowledgebase_ids": [],
            "memory_limit_number": 9,
            "include_preference": True,
            "preference_limit_number": 9,
            "include_tool_memory": False,
            "tool_memory_limit_number": 6,
            "include_skill": False,
            "relativity": 0.45,
        }
        assert (await client.post("/search/memory", search))["memory_detail_list"] == []
        add = {
            "user_id": "openclaw-user",
            "conversation_id": "agent:main:telegram:12345",
            "messages": [{"role": one["role"], "content": one["content"]} for one in MESSAGES],
            "source": "openclaw",
            "agent_id": "main",
            "app_id": "openclaw",
            "tags": ["openclaw"],
            "info": {"source": "openclaw", "sessionKey": "agent:main:telegram:12345", "agentId": "main"},
            "allow_public": False,
            "allow_knowledgebase_ids": [],
            "async_mode": True,
        }
        await client.finished((await client.post("/add/message", add))["task_id"])
        [fact] = (await client.post("/search/memory", {**search, "query": "tea", "relativity": 0}))[
            "memory_detail_list"
        ]
        assert fact["info"]["sessionKey"] == "agent:main:telegram:12345"
        assert fact["conversation_id"] == "agent:main:telegram:12345"


class TestCommandLine:
    """It asks whether anybody answers before its first call."""

    @pytest.mark.parametrize("path", ["/ping", "/v1/ping/"])
    async def test_it_probes(self, client: Client, path: str) -> None:
        answer = Answer.of(await client.http.get(path, headers={"Authorization": f"Bearer {client.key}"}))
        assert answer.code == 0

    async def test_it_shows_a_person_what_was_wrong(self, client: Client) -> None:
        answer = await client.send("/delete/memory", {"memory_ids": ["9b0b2f0e-0000-4000-8000-000000000000"]})
        assert (answer.status, answer.code) == (404, 40307)
        assert "9b0b2f0e-0000-4000-8000-000000000000" in answer.message
