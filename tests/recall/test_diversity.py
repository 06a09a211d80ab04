from memcubed.memories.model import MemoryKind
from memcubed.recall.diversity import diversify
from memcubed.recall.model import Candidate, Found
from memcubed.recall.question import Question
from memcubed.recall.ranking import Weights, rank
from tests.recall.candidates import NOW, candidate

QUESTION = Question.read("What do I drink?", NOW)


def shown(*candidates: Candidate) -> list[str]:
    scored = rank(Found(candidates), QUESTION, Weights(), conversation_id=None)
    return [one.candidate.value for one in diversify(scored)]


def test_the_same_said_on_two_days_is_shown_once() -> None:
    first = "On 2025-01-02 the user said: I drink green tea every morning."
    again = "On 2025-03-04 the user said: I drink green tea every morning!"
    assert shown(candidate(first, cosine=0.5), candidate(again, cosine=0.4)) == [first]


def test_another_number_is_another_memory() -> None:
    values = [f"The user puts {amount} pounds a month into the fund for a rainy day with Sam." for amount in (200, 250)]
    assert sorted(shown(*(candidate(value) for value in values))) == values


def test_a_fact_and_a_preference_in_the_same_words_are_both_shown() -> None:
    value = "The user drinks green tea."
    assert len(shown(candidate(value), candidate(value, kind=MemoryKind.EXPLICIT_PREFERENCE))) == 2


def test_a_long_conversation_does_not_crowd_out_another() -> None:
    names = ["tea", "milk", "rain", "snow", "dogs", "cats", "jazz", "rock", "moon", "star", "bread", "salt"]
    crowd = [candidate(name, cosine=0.5, conversation_id="long") for name in names]
    other = candidate("other", cosine=0.48, conversation_id="short")
    values = shown(*crowd, other)
    assert 8 < values.index("other") < 12
