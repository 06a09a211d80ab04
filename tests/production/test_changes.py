"""What a user says in passing of memories that no longer hold."""

import pytest

from memcubed.feedback.correction import find_change
from tests.conftest import StartService
from tests.support.api import Client
from tests.support.scripted_llm import ScriptedServer
from tests.support.settings import llm_settings


async def say(client: Client, *said: str, **more: object) -> None:
    for text in said:
        await client.finished((await client.add({"role": "user", "content": text}, **more))["task_id"])  # type: ignore[arg-type]


async def facts(client: Client) -> str:
    data = await client.post("/get/memory", {"user_id": "u", "size": 50})
    return str([memory["memory_value"] for memory in data["memory_detail_list"]])


CHANGES = [
    ("I live in Paris.", "I moved from Paris to Berlin.", "I live in Paris"),
    ("I drink coffee every morning.", "Actually, I no longer drink coffee.", "coffee every morning"),
    ("The meeting is on Tuesday.", "Correction: the meeting is on Wednesday, not Tuesday.", "is on Tuesday"),
    ("我每天早上喝咖啡。", "其实我不喝咖啡了。", "每天早上喝咖啡"),
    ("办公类软件的采购上限是800元。", "办公类软件的采购上限从800元调整为600元。", "采购上限是800元"),
    ("我住在杭州。", "我上个月从杭州搬到了成都。", "我住在杭州"),
    ("I drink two espressos a day.", "I no longer drink espresso, I switched to tea.", "two espressos"),
    ("My flight is on May 3rd.", "My flight was rescheduled from May 3rd to May 5th.", "is on May 3rd"),
    ("我每天早上喝一杯美式咖啡才能清醒。", "其实我现在不喝咖啡了，医生说我胃不好。", "每天早上喝一杯"),
    ("评审会议在周二。", "评审会议从周二改到周四了，地点不变。", "会议在周二"),
]


@pytest.mark.parametrize(("before", "said", "outdated"), CHANGES, ids=[said for _, said, _ in CHANGES])
async def test_what_changed_gives_way(client: Client, before: str, said: str, outdated: str) -> None:
    await say(client, before)
    assert outdated in await facts(client)
    done = await client.finished((await client.add(said))["task_id"])
    assert done["reason"] == "Memories corrected: 1 superseded."
    now = await facts(client)
    assert outdated not in now
    assert said.rstrip("。.")[-6:] in now


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("I live in Paris.", "I flew from Paris to Berlin."),
        ("I drink coffee every morning.", "I'd like tea now, not coffee."),
        ("My sister lives in Paris.", "I moved from Paris to Berlin."),
        ("我喜欢喝咖啡。", "今天不喝咖啡。"),
        ("我妈妈每天喝咖啡。", "其实我不喝咖啡了。"),
        ("The museums of Paris are great.", "I moved from Paris to Berlin."),
        ("我喜欢玩游戏，最爱塞尔达。", "我不玩游戏了，先睡了。"),
        ("我每周去三次健身房。", "今天不去健身房了，下雨。"),
        ("I work with Tom on the design team.", "He no longer works with me, he moved to Rome."),
        ("I go to the gym three times a week.", "I don't go to the gym any more today."),
        ("The dentist is on Monday.", "My meeting was moved from Monday to Tuesday."),
        ("我喝咖啡的时候认识了现在的女朋友小雨。", "其实我不喝咖啡了，胃不好。"),
    ],
)
async def test_what_was_not_changed_stays(client: Client, before: str, said: str) -> None:
    await say(client, before)
    await say(client, said)
    assert before.rstrip("。.") in await facts(client)


async def test_what_else_the_outdated_said_is_kept(client: Client) -> None:
    await say(client, "My flight to Chicago is on May 3rd at 7am.")
    await say(client, "My flight was rescheduled from May 3rd to May 5th.")
    (only,) = (await client.post("/get/memory", {"user_id": "u", "size": 50}))["memory_detail_list"]
    assert "rescheduled from May 3rd to May 5th" in only["memory_value"]
    assert "Chicago" in only["memory_value"].partition("(before that: ")[2]


async def test_several_changes_are_counted_together(client: Client) -> None:
    await say(client, "I live in Paris.", "I drink coffee every morning.")
    said = [{"role": "user", "content": text} for text in ("I moved from Paris to Rome.", "I no longer drink coffee.")]
    done = await client.finished((await client.add(*said))["task_id"])
    assert done["reason"] == "Memories corrected: 2 superseded."


async def test_said_again_it_is_known(client: Client) -> None:
    change = "My flight was rescheduled from May 3rd to May 5th."
    await say(client, "My flight to Chicago is on May 3rd at 7am.", change, change)
    assert (await facts(client)).count("rescheduled") == 1


async def test_what_found_the_outdated_finds_what_took_its_place(client: Client) -> None:
    await say(client, "I live on Hawthorne Boulevard, ten minutes from the shop.")
    await say(client, "We moved from Hawthorne Boulevard to Alberta Street.")
    query = {"user_id": "u", "query": "Where do I live?", "arms": ["words"], "relativity": 0}
    found = await client.post("/search/memory", query)
    assert "Alberta Street" in str(found["memory_detail_list"])


async def test_others_of_a_group_keep_theirs(client: Client) -> None:
    def by(name: str, content: str) -> dict[str, object]:
        return {"role": "user", "content": content, "role_name": name, "role_id": name}

    for name, said in (
        ("Ann", "I live in Paris."),
        ("Bob", "I live in Paris."),
        ("Bob", "I moved from Paris to Rome."),
    ):
        await client.finished((await client.add(by(name, said)))["task_id"])
    found = await facts(client)
    assert found.count("I live in Paris") == 1
    assert "Ann" in found


async def test_what_was_told_later_stays(client: Client) -> None:
    later = {"role": "user", "content": "I live in Paris.", "chat_time": "2025-06-10"}
    earlier = {"role": "user", "content": "I moved from Paris to Berlin.", "chat_time": "2020-01-01"}
    for message in (later, earlier):
        await client.finished((await client.add(message))["task_id"])
    assert "I live in Paris" in await facts(client)


async def test_with_a_language_model_as_well(start: StartService) -> None:
    with ScriptedServer() as server:
        async with start(llm_settings(server)) as api:
            client = await api.client()
            await say(client, "I live in Paris.", "I moved from Paris to Berlin.")
            found = await facts(client)
            assert "I live in Paris" not in found
            assert "Berlin" in found


@pytest.mark.parametrize(
    "said", ["", "I like tea.", "I'd like tea, not coffee", "我住在柏林，不是巴黎", "从北京到上海要多久？"]
)
def test_what_announces_no_change(said: str) -> None:
    assert find_change(said) is None
