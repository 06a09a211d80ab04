"""add/feedback where a knowledge base says what the feedback denies."""

from tests.knowledge.files import add_text, new_base
from tests.support.api import Api, Client, Json

RULES = "# 采购\n\n办公类软件的采购上限是800元。硬件的采购上限是5000元。"
CORRECTED = "办公类软件的采购上限是600元，而不是800元"


async def feedback(client: Client, *bases: str, said: str = CORRECTED) -> Json:
    body = {"user_id": "u", "feedback_content": said, "allow_knowledgebase_ids": list(bases)}
    return await client.finished((await client.post("/add/feedback", body))["task_id"])


async def rules(client: Client, base: str, *, user: str = "other") -> str:
    return str(await client.values("办公类软件的采购上限", user=user, knowledgebase_ids=[base]))


async def test_an_allowed_knowledge_base_is_corrected(client: Client) -> None:
    base = await new_base(client)
    await add_text(client, base, RULES, "rules.md")
    assert "800元" in await rules(client, base)
    done = await feedback(client, base)
    assert done["status"] == "completed"
    assert "corrected" in done["reason"]
    found = await rules(client, base)
    assert "600元" in found
    assert "800元" not in found
    assert "5000元" in found


async def test_one_that_is_not_allowed_stays_and_the_user_is_told_first_what_holds(client: Client) -> None:
    base = await new_base(client)
    await add_text(client, base, RULES, "rules.md")
    await feedback(client)
    assert "800元" in await rules(client, base)
    own = await client.values("办公类软件的采购上限是多少", knowledgebase_ids=[base])
    assert "600元" in own[0]


async def test_nothing_new_is_written_where_nothing_is_corrected(client: Client) -> None:
    base = await new_base(client)
    await add_text(client, base, "会议室在三楼。")
    await feedback(client, base)
    assert "600元" not in await rules(client, base)


async def test_another_projects_is_none(api: Api, client: Client) -> None:
    base = await new_base(await api.client())
    body = {"user_id": "u", "feedback_content": CORRECTED, "allow_knowledgebase_ids": [base]}
    answer = await client.send("/add/feedback", body)
    assert (answer.status, answer.code) == (404, 50120)
