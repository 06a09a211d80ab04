from datetime import UTC, datetime

import pytest

from memcubed.recall.question import Era, Question

NOW = datetime(2025, 6, 11, 12, tzinfo=UTC)  # a Wednesday


def read(text: str) -> Question:
    return Question.read(text, NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Which hotel did you suggest for the trip?", True),
        ("What was on your list for the move?", True),
        ("你上次给我推荐过哪家餐厅？", True),
        ("你说过那台洗衣机该怎么清理？", True),
        ("Which hotel did I book?", False),
        ("我在哪家医院做的手术？", False),
        ("Can you suggest a restaurant?", False),
        ("帮我推荐一家餐厅", False),
    ],
)
def test_whether_a_query_asks_for_what_the_assistant_said(text: str, *, expected: bool) -> None:
    assert read(text).asks_assistant is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Recommend a novel for the flight.", True),
        ("How should I prepare for the interview?", True),
        ("给我女儿挑个书包", True),
        ("Where does my brother live?", False),
        ("我哥哥住在哪里？", False),
        ("Which hotel did you suggest for the trip?", False),
    ],
)
def test_whether_a_query_is_a_request_for_advice(text: str, *, expected: bool) -> None:
    assert read(text).is_request is expected


@pytest.mark.parametrize(
    ("text", "era"),
    [
        ("Where do I work now?", Era.NOW),
        ("我现在住哪儿？", Era.NOW),
        ("Where did I live before?", Era.BEFORE),
        ("我以前在哪儿上班？", Era.BEFORE),
        ("How has my salary changed?", Era.ANY),
        ("我体重前后有什么变化？", Era.ANY),
        ("What is my cat called?", Era.ANY),
    ],
)
def test_which_state_of_things_a_query_asks_for(text: str, era: Era) -> None:
    assert read(text).era is era


@pytest.mark.parametrize(
    ("text", "told_at", "match"),
    [
        ("What did Ann do in May 2023?", datetime(2023, 5, 20, tzinfo=UTC), 1.0),
        ("What did Ann do in May 2023?", datetime(2023, 6, 2, tzinfo=UTC), 0.5),
        ("What did Ann do in May 2023?", datetime(2023, 8, 2, tzinfo=UTC), 0.0),
        ("What did Ann do in May 2023?", datetime(2022, 5, 20, tzinfo=UTC), 0.0),
        ("What happened in October?", datetime(2019, 10, 3, tzinfo=UTC), 1.0),
        ("3月5日我去了哪里？", datetime(2024, 3, 6, tzinfo=UTC), 1.0),
        ("2024年3月我去了哪里？", datetime(2024, 3, 30, tzinfo=UTC), 1.0),
        ("我上周去了哪里？", datetime(2025, 6, 4, tzinfo=UTC), 1.0),
        ("我上周去了哪里？", datetime(2025, 5, 4, tzinfo=UTC), 0.0),
        ("What did I buy yesterday?", datetime(2025, 6, 10, 9, tzinfo=UTC), 1.0),
        ("May I bring my dog?", datetime(2023, 5, 20, tzinfo=UTC), 0.0),
        ("What did I say about February 30?", datetime(2023, 3, 1, tzinfo=UTC), 0.0),
        ("What is my cat called?", datetime(2025, 6, 10, tzinfo=UTC), 0.0),
    ],
)
def test_how_well_a_memory_fits_the_time_that_a_query_names(text: str, told_at: datetime, match: float) -> None:
    assert read(text).date_match(told_at) == match


def test_a_speaker_counts_only_when_named_alone() -> None:
    speakers = {"Ann", "Bob", "小林"}
    assert read("What does Ann collect?").only_speaker(speakers) == "Ann"
    assert read("小林养了什么？").only_speaker(speakers) == "小林"
    assert read("What do Ann and Bob collect?").only_speaker(speakers) is None
    assert read("What about Annabel?").only_speaker(speakers) is None
