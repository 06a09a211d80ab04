"""add/feedback: corrections, replacements and what else feedback says."""

from typing import Any
from uuid import uuid4

import pytest

from memcubed.providers.embeddings.scripted import HashEmbedder
from tests.conftest import StartService
from tests.support.api import Answer, Api, Client, Json, eventually
from tests.support.sample_memories import new_memory, settle

LIMIT = "办公类软件的采购上限是800元。"
CORRECTED = "办公类软件的采购上限是600元，而不是800元"


async def remember(client: Client, *said: str, **more: Any) -> None:  # noqa: ANN401 - passed on
    for text in said:
        await client.finished((await client.add(text, **more))["task_id"])


async def feedback(client: Client, said: str, **more: object) -> Json:
    """Give feedback and wait; the task as get/status shows it."""
    data = await client.post("/add/feedback", {"user_id": "u", "feedback_content": said, **more})
    assert set(data) == {"success", "task_id", "status"}
    done = await client.finished(data["task_id"])
    assert done["status"] == "completed", done
    return done


async def facts(client: Client, **owner: object) -> list[str]:
    data = await client.post("/get/memory", {**(owner or {"user_id": "u"}), "size": 50})
    return [memory["memory_value"] for memory in data["memory_detail_list"]]


async def history(client: Client, memory_id: str) -> Json:
    headers = {"Authorization": f"Token {client.key}"}
    response = await client.http.get(f"/get/memory/{memory_id}", params={"history": "true"}, headers=headers)
    found: Json = Answer.of(response).data
    return found


async def test_a_corrected_value_takes_the_place_of_the_old_one(client: Client) -> None:
    await remember(client, LIMIT)
    (old,) = (await client.search("采购上限"))["memory_detail_list"]
    done = await feedback(client, CORRECTED)
    assert done["memory_views"] == {"detail_factual": {"added": 1}}
    assert "1 superseded" in done["reason"]
    (new,) = (await client.search("办公类软件的采购上限是多少？"))["memory_detail_list"]
    assert "600元" in new["memory_value"]
    assert "800" not in new["memory_value"]
    assert [source["content"] for source in new["sources"]] == [CORRECTED]
    before = await history(client, old["id"])
    assert before["status"] == "archived"
    assert before["history"][-1]["superseded_by"] == new["id"]
    assert "feedback" in before["history"][-1]["reason"]


@pytest.mark.parametrize(
    ("said", "corrected", "now"),
    [
        ("The office software limit is 800.", "The office software limit is 600, not 800", "600"),
        ("My dog is called Rex.", "My dog is called Max, not Rex", "Max"),
        ("I live in Paris.", "I moved from Paris to Berlin", "Berlin"),
        ("项目负责人是张三。", "不对，项目负责人是李四，不是张三", "李四"),
    ],
)
async def test_corrections_in_both_languages(client: Client, said: str, corrected: str, now: str) -> None:
    await remember(client, said)
    assert "1 superseded" in (await feedback(client, corrected))["reason"]
    (value,) = await facts(client)
    assert now in value


async def test_other_matters_stay(client: Client) -> None:
    others = ["办公类硬件的采购上限是800元。", "差旅住宿的上限是800元。", "办公类软件由信息部采购。"]
    await remember(client, LIMIT, *others)
    await feedback(client, CORRECTED)
    found = await facts(client)
    assert len(found) == 4
    assert all(any(other.rstrip("。") in value for value in found) for other in others)


async def test_what_a_memory_says_beyond_the_denied_stays(api: Api, client: Client) -> None:
    await settle(api, client, new_memory("办公类软件的采购上限是800元。住宿上限是每晚500元。"))
    done = await feedback(client, CORRECTED)
    assert "1 shortened" in done["reason"]
    assert sorted("…住宿上限是每晚500元。" in value for value in await facts(client)) == [False, True]


async def test_a_bare_value_is_corrected_where_only_one_memory_has_it(client: Client) -> None:
    await remember(client, LIMIT, "我喜欢喝茶。")
    await feedback(client, "不是800元，应该是600元")
    found = await client.values("采购上限是多少")
    assert any("采购上限是600元" in value for value in found)
    assert not any("800" in value for value in found)


async def test_a_bare_value_that_several_have_corrects_none(client: Client) -> None:
    await remember(client, LIMIT, "差旅住宿的上限是800元。")
    done = await feedback(client, "不是800元，应该是600元")
    assert done["memory_views"] == {"detail_factual": {"added": 1}}
    assert done["reason"] == "Remembered; no memory was recognised as corrected by it."
    assert sum("上限是800元" in value for value in await facts(client)) == 2


async def test_feedback_outranks_what_stands_beside_it(api: Api, client: Client) -> None:
    await settle(api, client, new_memory("The spare key hangs in the red barn behind the house."))
    await feedback(client, "The spare key is kept by Ann next door")
    found = (await client.search("spare key", trace=True))["trace"]
    weights = {one["id"]: one["parts"]["weight"] for one in found}
    assert sorted(weight > 0 for weight in weights.values()) == [False, True]
    assert 0 in weights.values()


@pytest.mark.parametrize("asked", ["把用户1号统一替换为用户2号", "replace 用户1号 with 用户2号 everywhere"])
async def test_a_word_is_replaced_wherever_it_stands(client: Client, asked: str) -> None:
    await remember(client, "用户1号住在杭州。", "我喜欢和用户1号喝茶。", "用户10号住在北京。")
    done = await feedback(client, asked)
    assert "用户2号" in done["reason"]
    assert done["memory_views"] == {}
    data = await client.post("/get/memory", {"user_id": "u"})
    texts = str([data["memory_detail_list"], data["preference_detail_list"]])
    values = [memory["memory_value"] for memory in data["memory_detail_list"]]
    assert sum("用户2号" in value for value in values) == 2
    assert sum("用户10号" in value for value in values) == 1
    assert not any("用户1号" in value for value in values)
    assert "用户2号" in str([preference["preference"] for preference in data["preference_detail_list"]])
    assert texts.count("用户10号") >= 1
    found = (await client.search("用户2号住在哪里"))["memory_detail_list"][0]
    assert "用户2号住在杭州" in found["memory_value"]
    versions = (await history(client, found["id"]))["history"]
    assert "用户1号" in versions[0]["value"]
    assert "replaced" in versions[-1]["reason"]


async def test_words_are_replaced_whole(client: Client) -> None:
    await remember(client, "Ann sails on Sundays.", "Anna plays chess.")
    await feedback(client, "rename Ann to Beth everywhere")
    values = str(await facts(client))
    assert "Beth sails" in values
    assert "Anna plays" in values


async def test_a_word_that_nobody_used_is_said_to_be_none(client: Client) -> None:
    done = await feedback(client, "Replace Apollo with Hermes everywhere")
    assert done["reason"] == "No memory has the word “Apollo”."
    assert await facts(client) == []


@pytest.mark.parametrize("said", ["谢谢！", "好的", "回答得很好", "That's wrong.", "Good answer!", "什么是量子力学？"])
async def test_feedback_that_says_nothing_ends_with_the_reason(client: Client, said: str) -> None:
    done = await feedback(client, said)
    assert done["memory_views"] == {}
    assert "nothing" in done["reason"]
    found = await client.search("anything")
    assert found["memory_detail_list"] == []


async def test_what_corrects_nothing_is_remembered(client: Client) -> None:
    done = await feedback(client, "回答请简短一些，我不喜欢长篇大论。")
    assert done["memory_views"]
    assert "简短" in str(await client.search("回答", preference_limit_number=5))


async def test_feedback_is_a_message_of_its_conversation(client: Client) -> None:
    await remember(client, LIMIT, conversation_id="c")
    await feedback(client, CORRECTED, conversation_id="c", feedback_time="2025-06-10 14:30:00")
    message = (await client.messages("c"))[-1]
    assert (message["role"], message["content"], message["type"]) == ("user", CORRECTED, "feedback")
    (memory,) = (await client.search("采购上限"))["memory_detail_list"]
    assert memory["conversation_id"] == "c"
    assert memory["sources"][0]["chat_time"] == 1749565800000
    await feedback(client, "我住在柏林，不是巴黎")
    assert (await client.messages("default"))[-1]["content"] == "我住在柏林，不是巴黎"


async def test_others_are_not_corrected(client: Client) -> None:
    await remember(client, LIMIT, user="other")
    await feedback(client, CORRECTED)
    await feedback(client, "把办公统一替换为行政")
    assert "办公类软件的采购上限是800元" in str(await facts(client, user_id="other"))


async def test_public_memory_is_corrected_when_allowed(client: Client) -> None:
    await remember(client, LIMIT, user="other", allow_public=True)
    await feedback(client, CORRECTED)
    assert any("800" in value for value in await client.values("采购上限", user="third"))
    await feedback(client, CORRECTED, allow_public=True)
    found = await client.values("采购上限", user="third")
    assert ["600" in value for value in found] == [True]


async def test_an_agents_memories_are_corrected_when_it_stands_alone(client: Client) -> None:
    await remember(client, LIMIT, user=None, agent_id="a")
    await feedback(client, CORRECTED, user_id=None, agent_id="a")
    (value,) = await facts(client, agent_id="a")
    assert "600" in value


async def test_with_async_mode_false_it_has_taken_effect(client: Client) -> None:
    await remember(client, LIMIT)
    body = {"user_id": "u", "feedback_content": CORRECTED, "async_mode": False}
    assert (await client.post("/add/feedback", body))["status"] == "completed"
    assert not any("800" in value for value in await facts(client))


async def test_a_repeated_key_takes_effect_once(client: Client) -> None:
    body = {"user_id": "u", "feedback_content": "I live in Oslo, not Rome"}
    first, second = [await client.post("/add/feedback", body, Idempotency_Key="k") for _ in range(2)]
    assert first["task_id"] == second["task_id"]
    await client.finished(first["task_id"])
    assert len(await client.messages("default")) == 1


async def test_it_waits_for_embeddings_that_are_down(start: StartService) -> None:
    embedder = HashEmbedder()
    async with start(embedder=embedder) as api:
        client = await api.client()
        await remember(client, LIMIT)
        embedder.fail(times=2)
        await feedback(client, CORRECTED)

        async def corrected() -> bool:
            found = (await client.search("采购上限"))["memory_detail_list"]
            return ["600" in memory["memory_value"] for memory in found] == [True]

        await eventually(corrected)


async def test_a_knowledge_base_that_there_is_not_is_refused_whole(client: Client) -> None:
    body = {"user_id": "u", "feedback_content": CORRECTED, "allow_knowledgebase_ids": [str(uuid4())]}
    answer = await client.send("/add/feedback", body)
    assert answer.status in {400, 404}
    assert answer.message
    assert await client.messages("default") == []
