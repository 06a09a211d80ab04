"""With redaction on, what requests say is stored, and shown to models, with marks in it."""

import json

from tests.conftest import StartService
from tests.knowledge.files import add_text, new_base
from tests.support.databases import query
from tests.support.scripted_llm import ScriptedServer
from tests.support.settings import llm_settings

SECRETS = ("ada@example.com", "13812345678", "4111 1111 1111 1111")


async def test_nothing_of_it_is_stored_or_shown(start: StartService) -> None:
    said = "My contacts: " + ", ".join(SECRETS)
    with ScriptedServer() as model:
        async with start(llm_settings(model, redact=True)) as api:
            client = await api.client()
            arguments = {"id": "c", "type": "function", "function": {"name": "send", "arguments": json.dumps([said])}}
            task = await client.add(
                said,
                {"role": "assistant", "content": None, "tool_calls": [arguments]},
                {"role": "tool", "tool_call_id": "c", "content": said},
                user="ada@example.com",
            )
            await client.finished(task["task_id"])
            await client.post("/add/feedback", {"user_id": "u", "feedback_content": said, "async_mode": False})
            await add_text(client, await new_base(client), said)
            body = {"user_id": "u", "conversation_id": "c", "query": said, "relativity": 0}
            await client.post("/chat", body)
            assert (await client.messages(user="ada@example.com"))[0]["content"].startswith("My contacts: [EMAIL]")
            stored = str(query(api.urls.owner, "SELECT text, payload FROM messages"))
            stored += str(query(api.urls.owner, "SELECT key, value, index_text, details FROM memories"))
            assert "[CARD]" in stored
            for secret in SECRETS:
                assert secret not in stored, secret
                assert secret not in json.dumps(model.chats), secret
