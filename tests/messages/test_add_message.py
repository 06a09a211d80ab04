import pytest

from tests.conftest import StartService
from tests.support.api import Client, Json
from tests.support.scripted_llm import ScriptedServer, after, echo_extraction, json_answer
from tests.support.settings import llm_settings, make_settings

CONVERSATION = (
    "我暑假定好去广州旅游，住宿的话有哪些连锁酒店可选？",
    "您可以考虑【七天、全季、希尔顿】等等",
    "我选七天",
    "好的，有其他问题再问我。",
)
WEATHER_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Lisbon"}'},
}


def coarse(found: Json) -> list[Json]:
    return [memory for memory in found["memory_detail_list"] if "mode:fast" in memory["tags"]]


async def test_an_add_becomes_memories(client: Client) -> None:
    task = await client.add(*CONVERSATION, conversation_id="0610")
    assert set(task) == {"success", "task_id", "status"}
    assert (task["success"], task["status"]) == (True, "running")
    assert (await client.finished(task["task_id"]))["status"] == "completed"
    found = await client.search("广州 酒店")
    assert any("七天" in memory["memory_value"] for memory in found["memory_detail_list"])
    assert not coarse(found)
    for memory in found["memory_detail_list"]:
        assert memory["conversation_id"] == "0610"
        assert memory["memory_type"] in {"LongTermMemory", "UserMemory"}
        assert memory["status"] == "activated"
        assert {source["content"] for source in memory["sources"]} <= set(CONVERSATION)


async def test_raw_turns_are_found_by_the_very_next_search(start: StartService) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        task = await client.add(*CONVERSATION, conversation_id="0610")
        found = coarse(await client.search("七天 酒店"))
        assert {memory["memory_type"] for memory in found} == {"WorkingMemory"}
        assert {source["content"] for memory in found for source in memory["sources"]} == set(CONVERSATION)
        assert found[0]["conversation_id"] == "0610"
        assert (await client.status(task["task_id"]))["status"] == "running"

        async with start(urls=api.urls):  # its worker takes the job up
            await client.finished(task["task_id"])
            assert not coarse(await client.search("七天 酒店"))
            assert await client.values("七天 酒店")


async def test_a_conversation_of_several_exchanges_is_searched_by_exchange(start: StartService) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        await client.add("My cat is called Miso.", "Lovely!", "I cycle to work.", "Great exercise!")
        values = await client.values("cat")
        assert len(values) == 2
        assert any("Miso" in value and "cycle" not in value for value in values)


async def test_long_raw_turns_are_found_to_the_last_word(start: StartService) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        await client.add("padding " * 1000 + "the password hint is zanzibar")
        assert "zanzibar" in (await client.values("zanzibar"))[0]


async def test_system_messages_are_stored_but_not_remembered(start: StartService) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        await client.add({"role": "system", "content": "You are a pirate."}, {"role": "user", "content": "I like tea."})
        assert len(await client.messages()) == 2
        assert all("pirate" not in value for value in await client.values("pirate tea"))


async def test_synchronous_adds_answer_when_extraction_is_done(client: Client) -> None:
    task = await client.add(*CONVERSATION, async_mode=False)
    assert (task["success"], task["status"]) == (True, "completed")
    assert not coarse(await client.search("广州"))


async def test_synchronous_adds_answer_running_when_extraction_takes_long(start: StartService) -> None:
    with ScriptedServer(lambda request: after(1.5, echo_extraction(request))) as llm:
        async with start(llm_settings(llm, sync_wait_seconds=0.2)) as api:
            client = await api.client()
            task = await client.add("I play the cello.", async_mode=False)
            assert (task["success"], task["status"]) == (True, "running")
            assert (await client.finished(task["task_id"]))["status"] == "completed"


async def test_asynchronous_adds_do_not_wait_for_the_model(start: StartService) -> None:
    with ScriptedServer(lambda request: after(1.5, echo_extraction(request))) as llm:
        async with start(llm_settings(llm)) as api:
            client = await api.client()
            task = await client.add("I play the cello.")
            assert task["status"] == "running"
            assert coarse(await client.search("cello"))
            assert (await client.finished(task["task_id"]))["status"] == "completed"


async def test_a_failed_synchronous_add_says_so(start: StartService) -> None:
    with ScriptedServer(json_answer("not memories")) as llm:
        async with start(llm_settings(llm, task_attempts=1)) as api:
            client = await api.client()
            task = await client.add("I play the cello.", async_mode=False)
            assert (task["success"], task["status"]) == (False, "failed")


@pytest.mark.parametrize("owner", [{"user_id": "ann"}, {"user_id": ["ann"]}, {"user_id": "ann", "agent_id": "bot"}])
async def test_a_users_memories_are_the_users(client: Client, owner: Json) -> None:
    task = await client.add("I collect stamps.", user=None, **owner)
    await client.finished(task["task_id"])
    assert await client.values("stamps", user="ann")
    assert not await client.values("stamps", user="ben")
    assert not await client.values("stamps", user="bot")


async def test_an_agent_alone_has_memories_of_its_own(client: Client) -> None:
    task = await client.add("I collect stamps.", user=None, agent_id="bot")
    await client.finished(task["task_id"])
    assert await client.values("stamps", user=None, agent_id="bot")
    assert not await client.values("stamps", user="bot")


async def test_a_group_chat_is_remembered_for_each_of_the_group(client: Client) -> None:
    task = await client.add(
        {"role": "user", "role_name": "Ann", "content": "We meet in Prague in May."},
        {"role": "user", "role_name": "Ben", "content": "I book the train."},
        user=None,
        user_id=["ann", "ben"],
        agent_id=["bot"],
        conversation_id="group",
    )
    done = await client.finished(task["task_id"])
    assert done["status"] == "completed"
    for owner in ({"user": "ann"}, {"user": "ben"}, {"user": None, "agent_id": "bot"}):
        assert await client.values("Prague", **owner)
    assert not await client.values("Prague", user="cem")
    assert len(await client.messages("group", user="ann")) == len(await client.messages("group", user="ben")) == 2


async def test_an_id_given_twice_counts_once(client: Client) -> None:
    task = await client.add("I collect stamps.", user=None, user_id=["ann", "ann"])
    await client.finished(task["task_id"])
    assert len(await client.messages(user="ann")) == 1


async def test_public_memories_are_recalled_for_other_users(client: Client) -> None:
    shared = await client.add("The office is in Leipzig.", user="ann", allow_public=True)
    own = await client.add("My desk is by the window.", user="ann")
    await client.finished(shared["task_id"])
    await client.finished(own["task_id"])
    assert any("Leipzig" in value for value in await client.values("office", user="ben"))
    assert not any("window" in value for value in await client.values("desk window", user="ben"))
    assert len([value for value in await client.values("office", user="ann") if "Leipzig" in value]) == 1


async def test_public_raw_turns_are_recalled_at_once(start: StartService) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        await client.add("The office is in Leipzig.", user="ann", allow_public=True)
        assert await client.values("office", user="ben")


@pytest.mark.parametrize("conversation", [{}, {"conversation_id": None}, {"conversation_id": ""}])
async def test_without_a_conversation_there_is_a_default_one(client: Client, conversation: Json) -> None:
    await client.add("hello", **conversation)
    assert len(await client.messages("default")) == 1


async def test_messages_are_stored_whole(client: Client) -> None:
    sent: list[Json] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather?", "chat_time": "2025-06-10 14:30:00", "role_id": "7", "role_name": "Ann"},
        {"role": "assistant", "tool_calls": [WEATHER_CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"temp": 31}', "name": "get_weather"},
        {"role": "assistant", "content": "31 degrees.", "refusal": None, "annotations": [], "x": {"deep": [1.5, "é"]}},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "And here?"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
                {"type": "file", "file": {"file_data": "https://example.com/a.pdf", "filename": "a.pdf"}},
            ],
        },
        {"role": "assistant", "content": "", "tool_calls": [WEATHER_CALL]},
        {"role": "user", "content": "Zeile\nfür 🙂 \\ ' \" 𠀀"},
    ]
    await client.post("/add/message", {"user_id": "u", "conversation_id": "c", "messages": sent})
    got = await client.messages("c")
    assert len(got) == len(sent)
    for stored, original in zip(got, sent, strict=True):
        whole = {name: value for name, value in original.items() if value is not None}
        assert {name: stored[name] for name in whole} == whole
        assert set(stored) == {*whole, "content", "id", "create_time", "update_time"}
        assert type(stored["create_time"]) is int
        assert 1.7e12 < stored["create_time"] == stored["update_time"] < 1e13


async def test_what_tools_say_is_found_by_the_next_search(start: StartService) -> None:
    async with start(worker=False) as api:
        client = await api.client()
        await client.add(
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "tool_calls": [WEATHER_CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "thunderstorms"},
        )
        assert any("get_weather" in value and "thunderstorms" in value for value in await client.values("Lisbon"))


async def test_the_time_of_a_message_is_its_chat_time(client: Client) -> None:
    message = {"role": "user", "content": "I moved to Rome yesterday.", "chat_time": "2024-03-05T10:00:00Z"}
    task = await client.add(message)
    await client.finished(task["task_id"])
    (memory,) = (await client.search("Rome"))["memory_detail_list"]
    assert memory["sources"][0]["chat_time"] == 1709632800000
    assert "2024-03-04" in memory["memory_value"]


async def test_times_without_a_zone_are_read_in_the_projects(start: StartService) -> None:
    async with start(make_settings(default_timezone="Asia/Shanghai"), worker=False) as api:
        client = await api.client()
        await client.add({"role": "user", "content": "Rome", "chat_time": "2024-03-05 10:00:00"})
        (memory,) = (await client.search("Rome"))["memory_detail_list"]
        assert memory["sources"][0]["chat_time"] == 1709604000000


async def test_info_comes_back_with_the_memories(client: Client) -> None:
    info = {"scene": "chat", "score": 4.5, "count": 3, "labels": ["a", "b"]}
    task = await client.add("I collect stamps.", info=info)
    await client.finished(task["task_id"])
    (memory,) = (await client.search("stamps"))["memory_detail_list"]
    assert memory["info"] == info


async def test_the_developers_tags_are_a_vocabulary(start: StartService) -> None:
    with ScriptedServer() as llm:
        async with start(llm_settings(llm)) as api:
            client = await api.client()
            task = await client.add("I collect stamps.", tags=["hobby", "finance"])
            await client.finished(task["task_id"])
            assert "hobby" in str(llm.chats[0]["messages"])
            assert "finance" in str(llm.chats[0]["messages"])


async def test_only_the_kinds_asked_for_are_made(client: Client) -> None:
    text = "I like green tea. I moved to Rome."
    only = await client.add(text, user="a", allow_memory_view=["preference"])
    none = await client.add(text, user="b", allow_memory_view=["profile"])
    both = await client.add(text, user="c")
    receipts = [(await client.finished(task["task_id"]))["memory_views"] for task in (only, none, both)]
    assert set(receipts[0]) <= {"preference"}
    assert receipts[1] == {}
    assert set(receipts[2]) == {"preference", "detail_factual"}
    assert not (await client.search("Rome", user="a"))["memory_detail_list"]


async def test_a_memory_that_is_held_already_gains_a_source_and_is_not_repeated(client: Client) -> None:
    for conversation in ("first", "second"):
        task = await client.add("I collect stamps.", conversation_id=conversation)
        await client.finished(task["task_id"])
    found = (await client.search("stamps"))["memory_detail_list"]
    assert len(found) == 1
    assert len(found[0]["sources"]) == 2
