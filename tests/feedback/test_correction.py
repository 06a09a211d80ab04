"""Corrections: which texts correct something, and which memories they deny."""

import pytest

from memcubed.feedback.contradiction import find_contradiction
from memcubed.feedback.correction import Correction, find_correction

CORRECTIONS = [
    ("办公类软件的采购上限是600元，而不是800元", ("办公类软件的采购上限是600元", "800元", "600元")),
    ("不对，采购上限不是800元，是600元", ("采购上限是600元", "800元", "600元")),
    ("不是800元，应该是600元", ("600元", "800元", "600元")),
    ("我住在柏林，不是巴黎", ("我住在柏林", "巴黎", "柏林")),
    ("项目负责人应该是李四", ("项目负责人是李四", "", "李四")),
    ("800元应该是600元", ("600元", "800元", "600元")),
    ("采购上限从800元调整为600元", ("采购上限调整为600元", "800元", "600元")),
    ("把采购上限从800元改成600元", ("采购上限改成600元", "800元", "600元")),
    ("预算不是800元", ("预算不是800元", "800元", "")),
    ("The limit is 600, not 800", ("The limit is 600", "800", "600")),
    ("It's Tuesday instead of Monday.", ("It's Tuesday", "Monday", "Tuesday")),
    ("Actually, the meeting isn't on Monday but on Tuesday", ("the meeting is on Tuesday", "Monday", "Tuesday")),
    ("No, it's not Monday, it's Tuesday", ("it's Tuesday", "Monday", "Tuesday")),
    ("My boss is not Tom Brandt any more, it is Julia Stein", ("My boss is Julia Stein", "Tom Brandt", "Julia Stein")),
    ("I moved from Paris to Berlin", ("I moved to Berlin", "Paris", "Berlin")),
    ("I said Tuesday, but it's Wednesday", ("Wednesday", "Tuesday", "Wednesday")),
    ("The limit should be 600", ("The limit is 600", "", "600")),
    ("I live in Berlin, not in Paris", ("I live in Berlin", "Paris", "Berlin")),
    ("My sister's name is Ann, not Anna.", ("My sister's name is Ann", "Anna", "Ann")),
]


@pytest.mark.parametrize(("said", "correction"), CORRECTIONS, ids=[said for said, _ in CORRECTIONS])
def test_what_holds_and_what_does_not(said: str, correction: tuple[str, str, str]) -> None:
    assert find_correction(said) == Correction(*correction)


@pytest.mark.parametrize(
    ("said", "ended"),
    [
        ("其实我不喝咖啡了", "喝咖啡"),
        ("我已经不再喝咖啡了。", "喝咖啡"),
        ("I no longer drink coffee.", "drink coffee"),
        ("I don't eat meat anymore", "eat meat"),
        ("I gave up eating meat", "eating meat"),
    ],
)
def test_what_came_to_an_end(said: str, ended: str) -> None:
    correction = find_correction(said)
    assert correction is not None
    assert (correction.old, correction.ends) == (ended, True)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "你好",
        "我不知道了",
        "我不想去了",
        "I stopped at the shop",
        "我喜欢喝茶。",
        "我不喜欢喝茶",
        "这不是很好吗？",
        "I do not like tea",
        "I like tea.",
        "I flew from Paris to Berlin",
        "Is it Tuesday, not Monday?",
        "x" * 5000,
    ],
)
def test_what_corrects_nothing(said: str) -> None:
    assert find_correction(said) is None


LIMIT = "办公类软件的采购上限是600元，而不是800元"
LIMIT_EN = "The office software limit is 600, not 800"
HOME = "I live in Berlin, not Paris"


def remainder(said: str, value: str, key: str = "") -> str | None:
    correction = find_correction(said)
    assert correction is not None
    contradiction = find_contradiction(correction, key, value)
    return None if contradiction is None else contradiction.remainder or "nothing"


@pytest.mark.parametrize(
    ("said", "value"),
    [
        (LIMIT, "办公类软件的采购上限为800元。"),
        (LIMIT, "办公软件单笔采购上限为 800 元"),
        (LIMIT, "办公类软件采购上限：￥800"),
        (LIMIT, "公司规定：办公类软件的采购上限是800元，超过须审批。"),
        (LIMIT, "用户在2025-06-10说：“办公类软件的采购上限是800元”"),
        (LIMIT_EN, "The office software limit is 800."),
        ("我住在柏林，不是巴黎", "用户住在巴黎。"),
        (HOME, "The user lives in Paris."),
        ("I moved from Paris to Berlin", 'On 2025-06-10 the user said: "I live in Paris."'),
        ("The meeting isn't on Monday but on Tuesday", "The meeting is on Monday at 3 pm."),
        ("采购上限应该是600元", "采购上限是800元"),
        ("不对，项目负责人是李四，不是张三", "项目负责人是张三"),
        ("其实我不喝咖啡了", "用户每天早上喝咖啡"),
        ("I no longer drink coffee", "The user drinks coffee every morning."),
    ],
)
def test_a_memory_that_says_what_is_denied(said: str, value: str) -> None:
    assert remainder(said, value) == "nothing"


@pytest.mark.parametrize(
    ("said", "value"),
    [
        (LIMIT, "办公类硬件的采购上限是800元。"),
        (LIMIT, "差旅住宿上限是每晚800元。"),
        (LIMIT, "办公类软件的采购上限是1800元"),
        (LIMIT, "办公类软件的采购上限是8005元"),
        (LIMIT, "办公类软件的采购上限是500元"),
        (LIMIT, "办公类软件的采购上限是600元。"),
        (LIMIT, "办公类软件的采购上限是600元，不再是800元。"),
        (LIMIT, "办公类软件的采购上限不是800元。"),
        (LIMIT_EN, "The hardware limit for offices is 800."),
        (LIMIT_EN, "The office is at 800 Main Street."),
        ("我住在柏林，不是巴黎", "用户的姐姐住在巴黎。"),
        ("我住在柏林，不是巴黎", "用户去过巴黎旅游，很喜欢。"),
        (HOME, 'On 2025-06-10 the user said: "My sister lives in Paris."'),
        (HOME, "The user no longer lives in Paris but in Berlin."),
        ("I moved from Paris to Berlin", "The user likes the museums of Paris."),
        ("不对，项目负责人是李四，不是张三", "财务负责人是张三"),
        ("其实我不喝咖啡了", "用户不喝咖啡"),
        ("其实我不喝咖啡了", "用户的妈妈喝咖啡"),
        ("I don't eat meat anymore", "The user bought a meat grinder to eat better."),
        ("采购上限应该是600元", "采购上限是800件"),
        ("采购上限应该是600元", "办公类硬件和家具的年度采购上限是800元"),
    ],
)
def test_a_memory_that_stays(said: str, value: str) -> None:
    assert remainder(said, value) is None


@pytest.mark.parametrize(
    ("said", "value", "rest"),
    [
        (LIMIT, "办公类软件的采购上限是800元。住宿上限是每晚500元。", "…住宿上限是每晚500元。"),
        (LIMIT, "采购须三人比价。办公类软件的采购上限是800元。", "采购须三人比价。…"),
        (
            HOME,
            'On 2025-06-10 the user said: "I live in Paris. I never eat pork."',
            'On 2025-06-10 the user said: "… I never eat pork."',
        ),
    ],
)
def test_what_a_memory_says_beyond_it_stays(said: str, value: str, rest: str) -> None:
    assert remainder(said, value) == rest


def test_a_value_alone_is_not_sure() -> None:
    correction = find_correction("不是800元，是600元")
    assert correction is not None
    found = find_contradiction(correction, "", "办公类软件的采购上限是800元。")
    assert found is not None
    assert not found.is_sure
