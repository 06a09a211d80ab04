"""The official Python SDK, unmodified: every method of MemOSClient does here what its docstring says."""

import base64
import json
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import Call
from tests.clients.sdk.calls import Sdk, SdkError
from tests.support.api import Client, Json, eventually

pytestmark = pytest.mark.clients

TEA = "I drink oolong tea in the evening."
POLICY = "# Purchasing\n\nThe limit for office software is 800 yuan.\n"


async def remember(call: Call, text: str = TEA, **more: object) -> str:
    """Add one message, and wait until the task says that it is done; the task's id."""
    who: Json = {} if "agent_id" in more else {"user_id": "ada"}
    added = await call("add_message", messages=[{"role": "user", "content": text}], **who, **more)
    return await done(call, added.shortcuts["task_id"])


async def done(call: Call, task_id: str) -> str:
    async def ended() -> bool:
        return bool((await call("get_task_status", task_id=task_id)).data["status"] != "running")

    await eventually(ended)
    return task_id


async def facts(call: Call, **more: object) -> list[str]:
    who: Json = {} if "agent_id" in more else {"user_id": "ada"}
    found = await call("search_memory", query="tea", relativity=0, **who, **more)
    return [fact["memory_value"] for fact in found.shortcuts["memories"]]


async def first_id(call: Call) -> str:
    found: str = (await call("get_memory", user_id="ada")).shortcuts["memories"][0]["id"]
    return found


def test_every_method_is_tried(sdk: Sdk) -> None:
    tried = [name.removeprefix("test_") for name in vars(sys.modules[__name__])]
    assert sdk.methods
    assert [method for method in sdk.methods if not any(name.startswith(method) for name in tried)] == []


async def test_add_message(call: Call) -> None:
    messages = [{"role": "user", "content": TEA}, {"role": "assistant", "content": "Noted."}]
    added = await call("add_message", messages=messages, user_id="ada", conversation_id="0610")
    assert added.kind == "MemOSAddResponse"
    assert added.shortcuts == {"success": True, "task_id": added.data["task_id"], "status": "running"}
    assert len(await facts(call)) == 1  # as it was said, before anything is extracted
    await done(call, added.shortcuts["task_id"])
    assert await facts(call) == [f'The user said: "{TEA}"']


async def test_add_message_with_all_that_it_takes(call: Call) -> None:
    added = await call(
        "add_message",
        messages=[{"role": "user", "content": TEA}],
        user_id="ada",
        conversation_id="0610",
        info={"scene": "chat", "biz_id": "7"},
        source="sdk",
        app_id="app",
        agent_id="waiter",
        async_mode=False,
        tags=["drinks"],
        allow_public=True,
        allow_knowledgebase_ids=[],
        allow_memory_view=["detail_factual"],
    )
    assert added.shortcuts["status"] == "completed"
    found = await call("search_memory", query="tea", user_id="somebody else", relativity=0)
    assert found.shortcuts["memories"][0]["info"] == {"scene": "chat", "biz_id": "7"}


async def test_add_message_of_an_agent(call: Call) -> None:
    await remember(call, agent_id="waiter")
    assert await facts(call, agent_id="waiter") == [f'The user said: "{TEA}"']
    assert await facts(call) == []


async def test_get_task_status(call: Call) -> None:
    task_id = await remember(call)
    status = await call("get_task_status", task_id=task_id)
    assert status.kind == "MemOSGetTaskStatusResponse"
    assert status.data["task_id"] == task_id
    assert status.data["status"] == "completed"
    assert status.data["memory_views"]["detail_factual"] == {"added": 1}
    assert status.shortcuts["messages"] == [status.data]


async def test_search_memory(call: Call) -> None:
    await remember(call)
    found = await call("search_memory", query="What does Ada drink in the evening?", user_id="ada", conversation_id="c")
    assert found.kind == "MemOSSearchResponse"
    assert [fact["memory_value"] for fact in found.shortcuts["memories"]] == [f'The user said: "{TEA}"']
    assert found.shortcuts["preferences"] == found.shortcuts["tool_memories"] == []
    assert isinstance(found.data["preference_note"], str)


async def test_search_memory_with_all_that_it_takes(call: Call) -> None:
    await remember(call, info={"scene": "chat"})
    options: Json = {
        "conversation_id": "c",
        "memory_limit_number": 3,
        "include_preference": False,
        "knowledgebase_ids": ["all"],
        "source": "sdk",
        "include_tool_memory": True,
        "preference_limit_number": 3,
        "tool_memory_limit_number": 3,
        "relativity": 0,
        "include_skill": True,
        "skill_limit_number": 3,
        "include_memory_view": ["detail_factual", "event", "profile"],
        "context_format": "memory",
    }
    for scene, number in (("chat", 1), ("mail", 0)):
        found = await call("search_memory", query="tea", user_id="ada", filter={"and": [{"scene": scene}]}, **options)
        assert len(found.shortcuts["memories"]) == number


async def test_get_message(call: Call) -> None:
    await remember(call, conversation_id="0610")
    found = await call("get_message", user_id="ada", conversation_id="0610")
    assert found.kind == "MemOSGetMessagesResponse"
    assert [(message["role"], message["content"]) for message in found.shortcuts["messages"]] == [("user", TEA)]
    options: Json = {"conversation_limit_number": 6, "message_limit_number": 1, "source": "sdk"}
    assert (await call("get_message", user_id="ada", conversation_id="0610", **options)).data == found.data


async def test_get_memory(call: Call) -> None:
    await remember(call)
    page = await call("get_memory", user_id="ada")
    assert page.kind == "MemOSGetMemoryResponse"
    assert [fact["memory_value"] for fact in page.shortcuts["memories"]] == [f'The user said: "{TEA}"']
    assert page.shortcuts["preferences"] == []
    assert [page.data[name] for name in ("total", "size", "current", "pages")] == [1, 10, 1, 1]
    options: Json = {"include_preference": False, "include_tool_memory": False, "page": 2, "size": 5}
    assert (await call("get_memory", user_id="ada", **options)).shortcuts["memories"] == []


async def test_get_memory_by_id(call: Call) -> None:
    await remember(call)
    memory_id = await first_id(call)
    found = await call("get_memory_by_id", memid=memory_id)
    assert found.data["id"] == memory_id
    assert found.data["memory_value"] == f'The user said: "{TEA}"'


async def test_update_memory(call: Call) -> None:
    await remember(call)
    memory_id = await first_id(call)
    changed = await call("update_memory", memory_id=memory_id, content="Ada drinks mint tea.", title="Tea")
    assert changed.data == {"success": True}
    assert await facts(call) == ["Ada drinks mint tea."]
    assert (await call("update_memory", memory_id=memory_id, status="archived")).data == {"success": True}
    assert await facts(call) == []


@pytest.mark.parametrize("how", ["memory_ids", "user_ids", "user_id", "filter"])
async def test_delete_memory(call: Call, how: str) -> None:
    await remember(call, info={"scene": "chat"})
    chosen: Json = {
        "memory_ids": [await first_id(call)],
        "user_ids": ["ada"],
        "user_id": "ada",
        "filter": {"and": [{"scene": "chat"}]},
    }
    gone = await call("delete_memory", **{how: chosen[how]})
    assert gone.kind == "MemOSDeleteMemoryResponse"
    assert gone.shortcuts == {"success": True}
    assert await facts(call) == []


async def test_delete_memory_of_an_agent(call: Call) -> None:
    await remember(call, agent_id="waiter")
    assert (await call("delete_memory", agent_id="waiter")).shortcuts == {"success": True}
    assert await facts(call, agent_id="waiter") == []


async def test_add_feedback(call: Call) -> None:
    await remember(call, "我的办公软件采购上限是800元", conversation_id="0610")
    text = "办公类软件的采购上限是600元，而不是800元"
    given = await call("add_feedback", user_id="ada", conversation_id="0610", feedback_content=text)
    assert given.kind == "MemOSAddFeedBackResponse"
    assert given.shortcuts["success"] is True
    await done(call, given.shortcuts["task_id"])
    assert await facts(call) == [text]


async def test_add_feedback_that_replaces_a_name(call: Call) -> None:
    await remember(call, "Tom drinks oolong tea.")
    given = await call(
        "add_feedback",
        user_id="ada",
        feedback_content="Rename Tom to Jerry everywhere",
        app_id="app",
        feedback_time="2025-12-10 12:00:00",
        allow_public=False,
        allow_knowledgebase_ids=[],
    )
    await done(call, given.shortcuts["task_id"])
    assert [("Jerry" in fact, "Tom" in fact) for fact in await facts(call)] == [(True, False)]


async def read(call: Call, file_id: str) -> Json:
    """The file, once it has been read."""

    async def ended() -> Json | None:
        found = await call("get_knowledgebase_file", file_ids=[file_id])
        file: Json = found.shortcuts["files"][0]
        return None if file["status"] in {"PROCESSING", "running", "processing"} else file

    file: Json = await eventually(ended)
    return file


async def test_create_knowledgebase(call: Call) -> None:
    made = await call("create_knowledgebase", knowledgebase_name="公司制度", knowledgebase_description="规章")
    assert made.kind == "MemOSCreateKnowledgebaseResponse"
    assert made.shortcuts["knowledgebase_id"] == made.data["id"]
    assert (await call("create_knowledgebase", knowledgebase_name="another")).data["id"] != made.data["id"]


async def new_base(call: Call) -> str:
    made: str = (await call("create_knowledgebase", knowledgebase_name="policies")).shortcuts["knowledgebase_id"]
    return made


async def test_add_knowledgebase_file_json(call: Call) -> None:
    base = await new_base(call)
    file = {"name": "policy.md", "content": base64.b64encode(POLICY.encode()).decode()}
    added = await call("add_knowledgebase_file_json", knowledgebase_id=base, file=[file])
    assert added.kind == "MemOSAddKnowledgebaseFileResponse"
    [detail] = added.shortcuts["memories"]
    assert detail["name"] == "policy.md"
    await read(call, detail["id"])
    found = await call(
        "search_memory", query="limit for office software", user_id="ada", knowledgebase_ids=[base], relativity=0
    )
    assert any("800 yuan" in fact["memory_value"] for fact in found.shortcuts["memories"])


async def test_add_knowledgebase_file_form(call: Call, tmp_path: Path) -> None:
    base = await new_base(call)
    one, two = tmp_path / "制度.md", tmp_path / "two.txt"
    one.write_text(POLICY, encoding="utf-8")
    two.write_text("Lunch is at noon.\n", encoding="utf-8")
    files = [str(one), str(two), str(tmp_path / "missing.txt")]
    added = await call("add_knowledgebase_file_form", knowledgebase_id=base, files=files, type="document")
    assert sorted(file["name"] for file in added.shortcuts["memories"]) == ["two.txt", "制度.md"]
    for file in added.shortcuts["memories"]:
        assert (await read(call, file["id"]))["name"] == file["name"]


async def test_get_knowledgebase_file(call: Call) -> None:
    base = await new_base(call)
    file = {"name": "lunch.txt", "content": base64.b64encode(b"Lunch is at noon.").decode(), "type": "document"}
    added = (await call("add_knowledgebase_file_json", knowledgebase_id=base, file=[file])).data
    found = await call("get_knowledgebase_file", knowledgebase_id=base, type="document", page=1, page_size=10)
    assert found.kind == "MemOSGetKnowledgebaseFileResponse"
    assert [file["id"] for file in found.shortcuts["files"]] == [added[0]["id"]]
    assert [found.data[name] for name in ("total", "page", "page_size")] == [1, 1, 10]


async def test_delete_knowledgebase_file(call: Call) -> None:
    base = await new_base(call)
    file = {"name": "lunch.txt", "content": base64.b64encode(b"Lunch is at noon.").decode()}
    added = (await call("add_knowledgebase_file_json", knowledgebase_id=base, file=[file])).data
    gone = await call("delete_knowledgebase_file", file_ids=[added[0]["id"]])
    assert gone.kind == "MemOSDeleteKnowledgebaseResponse"
    assert gone.shortcuts == {"success": True}
    assert (await call("get_knowledgebase_file", knowledgebase_id=base)).shortcuts["files"] == []


async def test_delete_knowledgebase(call: Call) -> None:
    base = await new_base(call)
    assert (await call("delete_knowledgebase", knowledgebase_id=base)).shortcuts == {"success": True}
    with pytest.raises(SdkError, match="404"):
        await call("delete_knowledgebase", knowledgebase_id=base)


async def test_chat(call: Call) -> None:
    await remember(call)
    answer = await call("chat", user_id="ada", conversation_id="c", query="What shall I drink?")
    assert answer.kind == "MemOSChatResponse"
    assert answer.shortcuts == {"response": "Tea."}
    asked = (await call("get_message", user_id="ada", conversation_id="c")).shortcuts["messages"]
    assert [message["content"] for message in asked] == ["What shall I drink?", "Tea."]


async def test_chat_with_all_that_it_takes(call: Call) -> None:
    answer = await call(
        "chat",
        user_id="ada",
        conversation_id="c",
        query="What shall I drink?",
        internet_search=True,
        force_stop=True,
        use_mem_os_cube=True,
        source="sdk",
        system_prompt="Be brief.",
        knowledgebase_ids=["all"],
        filter={"and": [{"scene": "chat"}]},
        add_message_on_answer=False,
        app_id="app",
        agent_id="waiter",
        async_mode=False,
        tags=["drinks"],
        info={"scene": "chat"},
        allow_public=False,
        allow_knowledgebase_ids=[],
        max_tokens=100,
        temperature=None,
        top_p=None,
        include_preference=False,
        include_tool_memory=True,
        relativity=0.3,
    )
    assert answer.shortcuts == {"response": "Tea."}
    assert (await call("get_message", user_id="ada", conversation_id="c")).shortcuts["messages"] == []


async def test_chat_streamed(call: Call) -> None:
    streamed = await call("chat", user_id="ada", conversation_id="c", query="What shall I drink?", stream=True)
    assert streamed.kind == "stream"
    events = [json.loads(line) for line in streamed.value]
    assert "".join(event["data"] for event in events if event["type"] == "text") == "Tea."
    assert events[-1]["type"] == "end"


async def test_extract_memory(call: Call) -> None:
    found = await call("extract_memory", messages=[{"role": "user", "content": TEA}])
    assert found.data["success"] is True
    assert [fact["memory_value"] for fact in found.data["memory_detail_list"]] == [f'The user said: "{TEA}"']
    only = await call("extract_memory", messages=[{"role": "user", "content": TEA}], extraction_types=["preference"])
    assert only.data["memory_detail_list"] == []
    assert await facts(call) == []


async def test_rerank(call: Call) -> None:
    documents = ["The budget was approved.", TEA]
    answer = (await call("rerank", query="oolong tea", documents=documents)).value
    assert [result["index"] for result in answer["results"]] == [1, 0]
    best = (await call("rerank", query="oolong tea", documents=documents, model="m", top_n=1)).value["results"]
    assert [result["document"]["text"] for result in best] == [TEA]


async def new_template(caller: Client) -> str:
    """The SDK has no method for it."""
    metadata = {"Basic": {"City": {"value": "", "algorithm_updatable": True}}}
    made: str = (await caller.post("/add/profile_template", {"name": "Customer", "metadata": metadata}))["id"]
    return made


async def bind(call: Call, caller: Client, **subject: str) -> str:
    template = await new_template(caller)
    bound = await call("bind_profile_template", bind_list=[{**subject, "profile_template_id": template}])
    assert bound.data["success"] is True
    return template


async def profiles(call: Call, **subject: str) -> list[str]:
    page = await call("get_memory", include_memory_view=["profile"], **subject)
    return [profile["memory"] for profile in page.data["profile_detail_list"]]


@pytest.mark.parametrize("subject", [{"user_id": "ada"}, {"agent_id": "waiter"}])
async def test_bind_profile_template(call: Call, caller: Client, subject: dict[str, str]) -> None:
    template = await bind(call, caller, **subject)
    metadata = {"Basic": {"City": {"value": "Lyon", "algorithm_updatable": False}}}
    await call("edit_profile", profile_template_id=template, metadata=metadata, **subject)
    assert await profiles(call, **subject) == ["Basic.City: Lyon"]


async def test_edit_profile(call: Call, caller: Client) -> None:
    template = await bind(call, caller, user_id="ada")
    metadata = {"Basic": {"City": {"value": "Lyon", "algorithm_updatable": False}}}
    edited = await call("edit_profile", profile_template_id=template, user_id="ada", metadata=metadata)
    assert edited.data["metadata"] == metadata
    await call("edit_profile", profile_template_id=template, user_id="ada", remove_fields=["Basic.City"])
    assert await profiles(call, user_id="ada") == []


async def test_delete_profile(call: Call, caller: Client) -> None:
    template = await bind(call, caller, user_id="ada")
    gone = await call("delete_profile", profile_template_id=template, user_id="ada")
    assert gone.data["success"] is True
    with pytest.raises(SdkError, match="404"):
        await call("delete_profile", profile_template_id=template, user_id="ada")


async def test_a_wrong_key_is_told_by_its_status(sdk: Sdk, caller: Client) -> None:
    with pytest.raises(SdkError, match="401") as caught:
        await sdk.call("wrong", str(caller.http.base_url).rstrip("/"), "get_memory", {"user_id": "ada"})
    assert caught.value.kind == "HTTPError"


async def test_a_base_url_may_end_with_a_slash(sdk: Sdk, caller: Client) -> None:
    page = await sdk.call(caller.key, str(caller.http.base_url), "get_memory", {"user_id": "ada"})
    assert page.data["total"] == 0
