import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcubed.language.tags import keywords, match_vocabulary


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("下个月想去大理旅游，住哪家酒店好？", {"大理", "旅游", "酒店"}),
        ("我在新荣记吃过饭", {"新荣记"}),
        ("太阳很大，别墅里有不锈钢", {"太阳", "别墅", "不锈钢"}),
        ("We stayed in Campo de Ourique.", {"Campo de Ourique"}),
        ("昨天在医院照顾妈妈", {"医院", "妈妈"}),
        ("My neighbour Priya showed me the violin she bought in Lisbon.", {"Priya", "violin", "Lisbon"}),
    ],
)
def test_keywords_name_the_topic(text: str, expected: set[str]) -> None:
    assert expected <= set(keywords(text))


def test_times_and_fillers_are_no_keywords() -> None:
    assert keywords("上周二今天明天") == ()
    assert keywords("the thing about it") == ()
    assert keywords("别忘了，没关系，受不了，差点，无所谓，翻译成，太甜，别当真，那班") == ()
    assert keywords("On Friday the tops had points") == ()
    assert "image" not in " ".join(keywords("[image] my garden [file]"))


def test_the_number_of_keywords_is_limited() -> None:
    assert len(keywords("北京、上海、广州、深圳、成都、杭州、南京都有分店", 3)) == 3


@pytest.mark.parametrize(
    ("text", "fitting"),
    [
        ("住哪家连锁酒店", ("酒店",)),
        ("两个人的健身训练计划", ("健身计划",)),
        ("We booked two hotels", ("Hotel",)),
        ("the hottest day", ()),
    ],
)
def test_the_vocabulary_is_matched_carefully(text: str, fitting: tuple[str, ...]) -> None:
    assert match_vocabulary(text, ["酒店", "健身计划", "Hotel", "hot", ""]) == fitting


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec=None), max_size=200), st.lists(st.text(st.characters(codec=None), max_size=8)))
def test_any_text_is_tagged(text: str, vocabulary: list[str]) -> None:
    assert len(keywords(text, 4)) <= 4
    assert set(match_vocabulary(text, vocabulary)) <= set(vocabulary)
