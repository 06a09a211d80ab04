from memcubed.recall.calibration import DEFAULT, Ranked, relativities
from memcubed.recall.folding import fold
from memcubed.recall.model import Found
from memcubed.recall.question import Question
from memcubed.recall.ranking import Weights, rank
from tests.recall.candidates import NOW, candidate

QUESTION = Question.read("Recommend something.", NOW)


def ranked(places: list[tuple[str, int]]) -> list[Ranked]:
    """One candidate a place, each a little less relevant than the one before it."""
    candidates = tuple(
        candidate(
            f"{conversation}{place} ({NOW.date()})", cosine=1 - i / 100, conversation_id=conversation, place=place
        )
        for i, (conversation, place) in enumerate(places)
    )
    scored = rank(Found(candidates), QUESTION, Weights(), conversation_id=None)
    return relativities(scored, QUESTION, DEFAULT, size=0)


def scattered(count: int) -> list[tuple[str, int]]:
    return [(f"alone{i}-", 1) for i in range(count)]


def test_within_the_limit_nothing_is_folded() -> None:
    results = fold(ranked([*scattered(20), ("a", 1), ("a", 2)]), 25)
    assert [len(result.members) for result in results] == [1] * 22


def test_a_hit_below_the_cut_comes_along_with_the_one_beside_it() -> None:
    results = fold(ranked([*scattered(19), ("a", 5), ("a", 6), ("b", 1), ("a", 4)]), 20)
    assert len(results) == 20
    assert [member.place for member in results[-1].members] == [4, 5, 6]
    assert results[-1].best.scored.candidate.place == 5


def test_a_day_is_dated_once() -> None:
    results = fold(ranked([*scattered(19), ("a", 5), ("a", 6)]), 20)
    assert results[-1].value == f"a5 ({NOW.date()})\na6"


def test_the_best_results_stay_as_they_are() -> None:
    results = fold(ranked([("a", 5), *scattered(19), ("a", 6)]), 20)
    assert all(len(result.members) == 1 for result in results)


def test_another_conversation_is_never_folded_in() -> None:
    results = fold(ranked([*scattered(19), ("a", 5), ("b", 6)]), 20)
    assert all(len(result.members) == 1 for result in results)
