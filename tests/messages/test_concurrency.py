import asyncio

from structlog.testing import capture_logs

from tests.support.api import Client


async def test_many_at_once_for_the_same_owners_all_come_to_their_end(client: Client) -> None:
    users = ["ann", "ben", "cem", "dua"]
    with capture_logs() as logs:
        tasks = await asyncio.gather(
            *[
                client.add(
                    f"I own boat number {number}.",
                    user=None,
                    user_id=users[number % 4 :] + users[: number % 4],
                    conversation_id=str(number),
                    allow_public=number % 2 == 0,
                )
                for number in range(12)
            ]
        )
        ends = await asyncio.gather(*[client.finished(task["task_id"]) for task in tasks])
    assert {end["status"] for end in ends} == {"completed"}
    assert [log for log in logs if log["log_level"] in {"warning", "error"}] == []
    for user in users:
        found = await client.values("boat", user=user, memory_limit_number=25)
        assert len([value for value in found if "boat" in value]) == 12
