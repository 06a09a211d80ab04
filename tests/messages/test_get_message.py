from tests.support.api import Api, Client


async def contents(client: Client, limit: int | None = None, **more: object) -> list[str]:
    body = {"user_id": "u", "conversation_id": "c", "message_limit_number": limit, **more}
    found = (await client.post("/get/message", body))["message_detail_list"]
    return [message["content"] for message in found]


async def add_numbers(client: Client, *numbers: int) -> None:
    await client.add(*[f"message {number}" for number in numbers], conversation_id="c")


async def test_the_newest_come_oldest_first(client: Client) -> None:
    await add_numbers(client, 1, 2, 3)
    await add_numbers(client, 4)
    await add_numbers(client, 5, 6, 7, 8)
    assert await contents(client, 3) == ["message 6", "message 7", "message 8"]
    assert await contents(client, 50) == [f"message {number}" for number in range(1, 9)]


async def test_six_unless_asked_otherwise(client: Client) -> None:
    await add_numbers(client, *range(1, 9))
    assert await contents(client) == [f"message {number}" for number in range(3, 9)]


async def test_at_most_fifty(client: Client) -> None:
    await add_numbers(client, *range(1, 61))
    found = await contents(client, 50)
    assert (len(found), found[0], found[-1]) == (50, "message 11", "message 60")


async def test_order_holds_whatever_the_chat_times_say(client: Client) -> None:
    messages = [
        {"role": "user", "content": "said late, sent first", "chat_time": "2025-06-10"},
        {"role": "user", "content": "said early, sent last", "chat_time": "2020-01-01"},
    ]
    await client.add(*messages, conversation_id="c")
    assert await contents(client) == ["said late, sent first", "said early, sent last"]


async def test_conversations_and_users_are_apart(client: Client) -> None:
    await add_numbers(client, 1)
    await client.add("elsewhere", conversation_id="d")
    await client.add("somebody else", conversation_id="c", user="v")
    assert await contents(client) == ["message 1"]
    assert await contents(client, user_id="v") == ["somebody else"]


async def test_what_is_not_there_is_an_empty_list(client: Client) -> None:
    assert await contents(client) == []


async def test_another_project_has_other_messages(api: Api, client: Client) -> None:
    await add_numbers(client, 1)
    assert await contents(await api.client()) == []
