"""Keyword replacement: which texts ask for it, and what becomes of texts."""

import pytest

from memcubed.feedback.replacement import Replacement, find_replacement

CHINESE = [
    "把用户1号统一替换为用户2号",
    "请把“用户1号”全部替换成“用户2号”。",
    "将所有的用户1号改为用户2号",
    "统一把用户1号改成用户2号",
    "用户1号统一改成用户2号",
    "用户1号以后统一叫用户2号",
    "把记忆里的用户1号替换为用户2号吧",
    "把用户1号改成用户2号，所有地方都要改",
    "用用户2号替换所有用户1号",
    "用户1号替换为用户2号",
    "将用户1号这个名字全部更名为用户2号",
]
ENGLISH = [
    "Replace Project Apollo with Project Hermes everywhere",
    "replace Project Apollo by Project Hermes",
    "Please rename Project Apollo to Project Hermes everywhere.",
    "rename 'Project Apollo' to 'Project Hermes' in all my memories",
    "Change every mention of Project Apollo to Project Hermes.",
    "Can you change Project Apollo to Project Hermes everywhere?".rstrip("?"),
    "Use Project Hermes instead of Project Apollo everywhere",
    "Project Apollo should be replaced with Project Hermes",
    "Substitute Project Hermes for Project Apollo throughout",
]
NO_REPLACEMENTS = [
    "办公类软件的采购上限是600元，而不是800元",
    "把采购上限从800元改成600元",
    "我把咖啡换成了茶",
    "把王替换为李",
    "把会议改到周三",
    "I replaced my bike with a car",
    "Change the meeting to Wednesday",
    "I use tea instead of coffee",
    "The limit is 600, not 800",
    "Rename Anna to Anna",
    "你好",
    "",
]


@pytest.mark.parametrize("said", CHINESE)
def test_a_replacement_asked_for_in_chinese(said: str) -> None:
    assert find_replacement(said) == Replacement("用户1号", "用户2号")


@pytest.mark.parametrize("said", ENGLISH)
def test_a_replacement_asked_for_in_english(said: str) -> None:
    assert find_replacement(said) == Replacement("Project Apollo", "Project Hermes")


@pytest.mark.parametrize("said", NO_REPLACEMENTS)
def test_what_asks_for_no_replacement(said: str) -> None:
    assert find_replacement(said) is None


@pytest.mark.parametrize(
    ("old", "new", "text", "after"),
    [
        ("用户1号", "用户2号", "用户1号喜欢茶，用户1号住在杭州。", "用户2号喜欢茶，用户2号住在杭州。"),
        ("用户1", "用户2", "用户1和用户10", "用户2和用户10"),
        ("Ann", "Bob", "Ann's sister Anna knows Ann.", "Bob's sister Anna knows Bob."),
        ("Ann", "Ann Lee", "Ann and Ann Lee", "Ann Lee and Ann Lee"),
        ("apollo", "hermes", "Apollo starts in May.", "hermes starts in May."),
        ("US", "EU", "The US tells us", "The EU tells us"),
        ("Project X", "Project Y", "Project\nX began", "Project Y began"),
        ("a.b", r"\1", "a.b and axb", r"\1 and axb"),
        ("3", "4", "3, 3.5 and 13", "4, 3.5 and 13"),
    ],
)
def test_every_occurrence_is_replaced_and_nothing_else(old: str, new: str, text: str, after: str) -> None:
    assert Replacement(old, new).apply(text) == after
