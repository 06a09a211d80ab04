import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcubed.providers.llm.tolerant_json import is_complete_json, parse_tolerantly

DATA = {"memories": [{"value": 'a "quoted" } brace', "n": 1}]}
TEXT = json.dumps(DATA)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"```json\n{TEXT}\n```",
        f"```\n{TEXT}\n```",
        f"Sure, here it is:\n\n{TEXT}\n\nAnything else?",
        f"<think>maybe {{}} or []</think>\n{TEXT}",
        f"I think so</think>{TEXT}",
        f"<THINKING>x</THINKING> ```JSON\n{TEXT}\n``` done",
        f"\ufeff{TEXT}",
        TEXT[:-1],
        TEXT.replace("}]}", ",}]}"),
    ],
)
def test_json_is_found_in_what_models_write_around_it(text: str) -> None:
    assert parse_tolerantly(text) == DATA


@pytest.mark.parametrize("text", ["", "   ", "<think>only this</think>", "no json here", "42", '"text"', "null"])
def test_what_holds_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the answer"):
        parse_tolerantly(text)


def test_a_list_is_found_too() -> None:
    assert parse_tolerantly("[1, 2]") == [1, 2]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "{" * 50_000 + "}" * 50_000])
def test_nesting_bombs_end_in_a_value_error_or_a_value(text: str) -> None:
    with suppress(ValueError):
        parse_tolerantly(text)


@given(st.text())
def test_any_text_gives_json_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(parse_tolerantly(text), dict | list)


def test_completeness_is_strict() -> None:
    assert is_complete_json(TEXT)
    assert not is_complete_json(TEXT[:-1])
