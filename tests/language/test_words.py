import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcubed.language.words import MAX_TOKEN, query_tokens, tokens

LEXEME = re.compile(r"[\w.\-@+#]+")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nora's greyhounds were running", ["nora", "greyhound", "run"]),
        ("I don't know what that is", []),
        ("write to Ann.Lee@corp.example", ["write", "ann.lee@corp.example", "ann", "lee", "corp", "exampl"]),
        ("error ABC-4711", ["error", "abc-4711", "abc", "4711"]),
        ("the 20th, 1,250 km at 3.5", ["20", "1250", "km", "3.5"]),
        ("fooBar", ["foobar", "foo", "bar"]),
        ("６２，０００元", ["62000", "元"]),
        ("C++ and C#", ["c++", "c#"]),
    ],
)
def test_latin_words_are_stemmed_and_codes_kept_whole(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_chinese_gives_words_and_the_pairs_that_cross_them() -> None:
    found = tokens("我在滨江买了智能门锁")
    assert {"滨江", "智能", "门锁", "能门"} <= set(found)
    assert "我" not in found
    assert "的" not in tokens("妹妹的猫")


@pytest.mark.parametrize("pair", [("哪家酒店便宜", "连锁酒店推荐"), ("my dog's vet", "the dogs went to a vet")])
def test_the_same_topic_shares_tokens(pair: tuple[str, str]) -> None:
    assert set(query_tokens(pair[0])) & set(tokens(pair[1]))


def test_a_query_asks_for_each_word_once() -> None:
    assert query_tokens("tea, tea and green tea") == ["tea", "green"]


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec=None), max_size=300))
def test_any_text_gives_lexemes(text: str) -> None:
    found = tokens(text)
    assert found == tokens(text)
    for token in found:
        assert LEXEME.fullmatch(token)
        assert len(token) <= MAX_TOKEN
        assert "\x00" not in token
        token.encode()


def test_surrogates_and_nul_are_taken() -> None:
    assert tokens("tea\x00pot \ud800 猫咪") == ["tea", "pot", "猫咪"]


def test_long_text_is_bounded() -> None:
    assert all(len(token) <= MAX_TOKEN for token in tokens("x" * 1_000_000))
