"""What counts as an echo of a recalled memory, and what does not."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from memcubed.memories.model import MemoryKind
from memcubed.messages.model import Role, Turn
from memcubed.production.echoes import RecalledTexts, keep_new, without_paste, without_pastes
from memcubed.production.model import Draft

TEA = 'On 2025-06-10 the user said: "I drink oolong tea in the evening."'
HOTEL = "用户在2025-06-10说：“我选七天”（此前用户说“我暑假定好去广州旅游，住宿的话有哪些连锁酒店可选？”）"
LIKES = "The user likes quiet places"
LIKES_TEA = "用户喜欢喝茶"
LONG = "The user said: " + " ".join(f"word{number}" for number in range(60))
RECALLED = RecalledTexts([TEA, HOTEL, LIKES, LIKES_TEA, LONG])


def rest(text: str) -> str:
    return without_paste(text, RECALLED)


@pytest.mark.parametrize(
    "text",
    [
        TEA,
        f"Relevant memories:\n- {TEA}\n- {LIKES}\n",
        f"# Memories\n\n1. {TEA} (relevance: 0.93)\n2. {HOTEL}\n",
        f"<memories>\n{TEA}\n{LIKES}\n</memories>",
        f"```\n{TEA}\n```",
        f"以下是相关记忆：\n- [2025-06-10] {HOTEL}\n- {LIKES_TEA}",
        f"已知信息：{LIKES_TEA}；{HOTEL}",
        f"id: {uuid4()} | {TEA} | confidence 1.0",
        TEA.upper(),
        TEA.replace('"', "”").replace(":", "："),
        LONG[: len(LONG) // 2] + "…",
        json.dumps({"memory_detail_list": [{"id": "1", "memory_value": TEA, "tags": ["tea", "night"]}]}),
        "Context: " + json.dumps({"data": {"memory_detail_list": [{"memory_value": HOTEL}]}}, indent=2),
    ],
)
def test_nothing_is_left_of_pasted_memories(text: str) -> None:
    assert rest(text) in {"", "Context:"}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"Memories:\n- {TEA}\n\nYes, still tea, but now decaf.", "Yes, still tea, but now decaf."),
        (f"{TEA} Yes, still tea, but now decaf.", "Yes, still tea, but now decaf."),
        (f"I moved to Lyon.\n\nMemories:\n- {LIKES}\n- {TEA}\n\nAny ideas?", "I moved to Lyon.\n\nAny ideas?"),
        (f"- {TEA} — no longer true", "no longer true"),
        (f"相关记忆：\n{HOTEL}\n\n这次我想换成全季", "这次我想换成全季"),
        (f"{LIKES_TEA}，但最近戒了", "但最近戒了"),
        (f"相关记忆：\n{HOTEL}\n\n用户的问题：这次住哪？", "这次住哪？"),
        (f"# Memories\n- {TEA}\n\n# Question\nWhich tea, and one question: why?", "Which tea, and one question: why?"),
        (f"Memories:\n- {TEA}\n\n**User query:** What now?", "What now?"),
        (f"- {TEA}\n\nQuestions bore me.", "Questions bore me."),
        (f"<memories>\n{TEA}\n</memories>\n<question>\nWhat now?\n</question>", "<question>\nWhat now?\n</question>"),
        (json.dumps({"q": "news", "m": [{"memory_value": LIKES}]}), '{"q": "news", "m": }'),
        (f'{{"memory_value": "{LIKES}"}}\nBut I go to loud bars now.', "But I go to loud bars now."),
    ],
)
def test_what_stands_beside_a_pasted_memory_stays(text: str, left: str) -> None:
    assert rest(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Yes, still tea, but now decaf.",
        "I drink oolong tea in the evening.",
        "I no longer drink oolong tea in the evening.",
        "I drink oolong tea in the evening, and coffee in the morning.",
        "我选七天",
        "我暑假定好去广州旅游，住宿的话有哪些连锁酒店可选？",
        "我喜欢喝茶",
        "用户喜欢什么？",
        "The user",
        "",
        "{[",
        json.dumps({"mood": "fine", "memory_value": "I drink tea."}),
        'He wrote {"memory_value": "something else"} there.',
    ],
)
def test_what_users_say_in_their_own_words_is_left_alone(text: str) -> None:
    assert rest(text) == text


def test_without_memories_nothing_changes() -> None:
    assert without_paste(TEA, RecalledTexts([])) == TEA
    assert without_paste(TEA, RecalledTexts(["", "a"])) == TEA


def turn(role: Role, text: str) -> Turn:
    return Turn(uuid4(), role, text, datetime.now(UTC))


def test_an_assistants_turn_is_left_whole_since_answers_refer_to_it() -> None:
    turns = [turn(role, TEA) for role in Role]
    left = {one.role: one.content for one in without_pastes(turns, RECALLED)}
    assert left == {Role.USER: "", Role.SYSTEM: "", Role.TOOL: "", Role.ASSISTANT: TEA}


@pytest.mark.parametrize(
    ("text", "is_new"),
    [
        ("Based on what I remember, you drink oolong tea in the evening.", False),
        ("As you told me, you like quiet places. You also drink oolong tea in the evening.", False),
        (TEA, False),
        ("根据记忆，您喜欢喝茶。", False),
        ("You like quiet places; there is a library in Rue Mouffetard that opens at nine.", True),
        ("Oolong tea has about 40 mg of caffeine a cup.", True),
        ("You drink 3 cups of oolong tea in the evening.", True),
    ],
)
@pytest.mark.parametrize("role", [Role.ASSISTANT, Role.USER])
def test_of_what_the_assistant_says_only_news_are_kept(text: str, role: Role, *, is_new: bool) -> None:
    said = turn(role, text)
    draft = Draft(MemoryKind.FACT, "key", f'On 2025-06-11 it was said: "{text}"', (said.message_id,), index_text=text)
    assert keep_new([draft], [said], RECALLED) == ((draft,) if is_new or role is Role.USER else ())


def test_a_long_text_is_read_in_good_time() -> None:
    passages = RecalledTexts([" ".join(["again"] * 300), *(f"{number} again and again" for number in range(100))])
    assert without_paste("again and " * 5000, passages)
