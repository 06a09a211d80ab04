"""Feedback that asks to forget."""

import pytest

from memcubed.feedback.forgetting import find_forgetting
from tests.support.api import Client


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("Forget that I work at Contoso.", "I work at Contoso"),
        ("Please forget everything about my knee surgery", "my knee surgery"),
        ("Don't remember that I like jazz!", "I like jazz"),
        ("忘掉我在学日语的事。", "我在学日语"),
        ("别再记我学日语的事了，忘掉它", "我学日语"),
        ("请把我的生日忘掉", "我的生日"),
        ("删除关于我前女友的记忆", "我前女友"),
        ("Forget it.", ""),
        ("忘掉它吧", ""),
    ],
)
def test_what_is_to_be_forgotten(said: str, what: str) -> None:
    assert find_forgetting(said) == what


@pytest.mark.parametrize(
    "said",
    [
        "I forgot my umbrella at Contoso.",
        "I never forget birthdays.",
        "我忘记带伞了",
        "The limit is 600, not 800.",
        "记住我喜欢爵士",
    ],
)
def test_what_asks_for_nothing_of_the_kind(said: str) -> None:
    assert find_forgetting(said) is None


async def feedback(client: Client, said: str) -> str:
    data = await client.post("/add/feedback", {"user_id": "u", "feedback_content": said})
    done = await client.finished(data["task_id"])
    assert done["status"] == "completed", done
    return str(done["reason"])


@pytest.mark.parametrize(
    ("told", "kept", "said", "query"),
    [
        ("I work at Contoso.", "I live in Lyon.", "Forget that I work at Contoso", "Where do I work?"),
        ("我在学日语。", "我住在杭州。", "别再记我学日语的事了，忘掉它", "我在学什么语言？"),
    ],
)
async def test_what_is_named_is_recalled_no_more(client: Client, told: str, kept: str, said: str, query: str) -> None:
    for text in (told, kept):
        await client.add(text, async_mode=False)
    assert "Forgot 1 memory" in await feedback(client, said)
    found = " ".join(await client.values(query))
    assert told.rstrip("。.") not in found
    assert kept.rstrip("。.") in found
    assert not any("orget" in value or "忘掉" in value for value in await client.values(query))


async def test_what_nobody_told_can_not_be_forgotten(client: Client) -> None:
    await client.add("I live in Lyon.", async_mode=False)
    assert "No memory" in await feedback(client, "Forget that I work at Contoso")
    assert await client.values("Where do I live?")
    assert "does not say what" in await feedback(client, "Forget it")
