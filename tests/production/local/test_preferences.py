from datetime import UTC, datetime
from uuid import UUID

import pytest

from memcubed.memories.model import MemoryKind
from memcubed.messages.model import Role, Turn
from memcubed.production.local import LocalExtractor
from memcubed.production.model import Draft, ExtractionRequest

NOW = datetime(2024, 6, 12, 9, 30, tzinfo=UTC)


async def preferences(text: str) -> list[Draft]:
    turns = (Turn(UUID(int=1), Role.USER, text, NOW),)
    found = await LocalExtractor().extract(ExtractionRequest(turns=turns))
    return [draft for draft in found.drafts if draft.kind is MemoryKind.EXPLICIT_PREFERENCE]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("我喜欢靠过道的座位。", "用户喜欢靠过道的座位。"),
        ("其实我最讨厌排队。", "用户最讨厌排队。"),
        ("我从来不喝咖啡", "用户从来不喝咖啡"),
        ("我对花粉过敏", "用户对花粉过敏"),
        ("香菜我不吃。", "用户自述：“香菜我不吃。”"),
        ("我妈爱热闹，我受不了人多的地方。", "用户受不了人多的地方。"),
        ("我爱喝茶，我妹妹喜欢咖啡", "用户爱喝茶"),
        ("我家猫不吃鱼，但我爱吃", "用户自述：“我家猫不吃鱼，但我爱吃”"),
        ("靠窗的位子，不要夜车", "用户自述：“靠窗的位子，不要夜车”"),
        ("不要城隍庙，太商业化", "用户自述：“不要城隍庙，太商业化”"),
        ("请以后都用法语回答我", "用户要求：“请以后都用法语回答我”"),
        ("我不再喝可乐了", "用户不再喝可乐了"),
        ("海鲜过敏", "用户自述：“海鲜过敏”"),
        ("出门我向来坐最早一班车。", "用户自述：“出门我向来坐最早一班车。”"),
        ("我平时喝豆浆，不加糖", "用户平时喝豆浆，不加糖"),
        ("以后回答我都用表格。", "用户要求：“以后回答我都用表格。”"),
        ("写代码的时候回答尽量简短，别用表情。", "用户要求：“写代码的时候回答尽量简短，别用表情。”"),
        ("你的解释不要太长。", "用户要求：“你的解释不要太长。”"),
        ("以后帮我写文案别用感叹号", "用户要求：“以后帮我写文案别用感叹号”"),
        ("请不要叫我亲", "用户要求：“请不要叫我亲”"),
        ("别再给我推荐恐怖片了", "用户要求：“别再给我推荐恐怖片了”"),
        ("I prefer aisle seats.", "The user prefers aisle seats."),
        ("I really hate my old office chair.", "The user really hates their old office chair."),
        ("I don't like spicy food.", "The user doesn't like spicy food."),
        ("I never watch horror films.", "The user never watches horror films."),
        ("I can't stand loud bars!", "The user can't stand loud bars!"),
        ("My favourite colour is teal.", 'The user states: "My favourite colour is teal."'),
        ("My brother Leo loves opera, I prefer jazz.", "The user prefers jazz."),
        ("I love hiking, my brother hates it.", "The user loves hiking."),
        ("no balconies please", 'The user states: "no balconies please"'),
        ("Not Soho, too noisy", 'The user states: "Not Soho, too noisy"'),
        ("I've stopped eating meat, eggs are fine", 'The user states: "I\'ve stopped eating meat, eggs are fine"'),
        ("Please always answer in French.", 'The user asks: "Please always answer in French."'),
        ("I'm allergic to cashews.", 'The user states: "I\'m allergic to cashews."'),
        ("From now on answer in bullet points.", 'The user asks: "From now on answer in bullet points."'),
        ("Please don't use emojis.", 'The user asks: "Please don\'t use emojis."'),
        ("Always give prices in euros.", 'The user asks: "Always give prices in euros."'),
        ("When you suggest films, leave out horror.", 'The user asks: "When you suggest films, leave out horror."'),
    ],
)
async def test_stated_preferences_are_kept_with_the_sentence(text: str, value: str) -> None:
    (draft,) = await preferences(text)
    assert draft.value == value
    assert text in draft.reasoning
    assert "2024-06-12" in draft.reasoning


@pytest.mark.parametrize(
    "text",
    [
        "我妹妹喜欢猫",
        "他不吃辣",
        "小林说他讨厌下雨",
        "我妈老说我喜欢熬夜",
        "你喜欢狗吗？",
        "我喜欢什么颜色来着",
        "如果我喜欢上滑雪呢",
        "别担心",
        "以后我要去当兵",
        "我老公从来不做饭",
        "我喜欢这个方案。",
        "My sister likes tea.",
        "Do I like tea?",
        "If I like the flat we will rent it.",
        "My boss thinks I love overtime.",
        "I love it!",
        "I'd like a refund.",
        "I don't like to say this.",
        "I never thought it would rain.",
        "I always knew that.",
        "Don't worry.",
        "the people I love",
        "Please don't be late tomorrow?",
        "把这句翻译成法语：我讨厌堵车",
        "润色一下：我从来不喝酒，我喜欢茶。",
        "写一首诗，主角对猫过敏",
        "我以前抽烟，去年戒了",
        "我以前不吃辣，现在无辣不欢",
        "王芳对海鲜过敏",
        "Pedro对花生过敏",
        "对花生过敏的是Pedro",
        "不要担心",
        "我喜欢熬夜，开玩笑的，别当真",
        'Translate to German: "I hate traffic"',
        "Summarise: I hate traffic. I never drive.",
        "Write a story about a girl who is allergic to cats",
        "I used to smoke but quit last year.",
        "Pedro is allergic to peanuts.",
        "No worries, please go on",
        "Not Friday, too busy",
        "I love traffic jams. Just kidding!",
    ],
)
async def test_what_is_no_preference_of_the_user_gives_none(text: str) -> None:
    assert await preferences(text) == []


async def test_a_pronoun_brings_the_sentence_before_along() -> None:
    (draft,) = await preferences(
        "Leo is off school this week. When you plan things for him, nothing with a phone please, ever."
    )
    assert "Leo is off school" in draft.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("我喜欢昨天那家店的安静座位。", "用户喜欢昨天（2024-06-11）那家店的安静座位。"),
        (
            "I prefer the seats we had yesterday.",
            'The user states: "I prefer the seats we had yesterday (2024-06-11)."',
        ),
    ],
)
async def test_the_reasoning_quotes_to_the_letter_and_the_value_has_the_date(text: str, value: str) -> None:
    (draft,) = await preferences(text)
    assert draft.value == value
    assert text in draft.reasoning


@pytest.mark.parametrize(
    ("first", "second"), [("李娜不爱吃辣", "我不吃辣"), ("Lina never eats chilli.", "I never eat chilli.")]
)
async def test_a_preference_is_its_speakers(first: str, second: str) -> None:
    chinese = "李" in first
    names = ("张伟", "李娜") if chinese else ("Ben", "Lina")
    turns = tuple(
        Turn(UUID(int=i + 1), Role.USER, text, NOW, name)
        for i, (name, text) in enumerate(zip(names, (first, second), strict=True))
    )
    found = await LocalExtractor().extract(ExtractionRequest(turns=turns))
    (draft,) = [d for d in found.drafts if d.kind is MemoryKind.EXPLICIT_PREFERENCE]
    assert draft.value.startswith(names[1])
    assert draft.source_ids == (UUID(int=2),)
