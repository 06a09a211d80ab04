import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcubed.errors import ProviderError
from memcubed.providers.embeddings.scripted import HashEmbedder
from memcubed.recall.calibration import DEFAULT, relativities
from memcubed.recall.fitting import fit
from memcubed.recall.model import Found
from memcubed.recall.question import Question
from memcubed.recall.ranking import Weights, rank
from tests.recall.candidates import NOW, candidate

FACT = Question.read("Where do I live?", NOW)
REQUEST = Question.read("Recommend a place to live.", NOW)


def relativity(*cosines: float, question: Question = FACT, size: int = 10) -> list[float]:
    found = Found(tuple(candidate(str(cosine), cosine=cosine) for cosine in cosines), size=size)
    scored = rank(found, question, Weights(), conversation_id=None)
    return [one.relativity for one in relativities(scored, question, DEFAULT, size=size)]


def test_the_default_threshold_lies_where_matches_and_strangers_part() -> None:
    assert relativity(0.5, DEFAULT.middle)[1] == pytest.approx(0.45, abs=0.001)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20), st.integers(1, 10**6))
def test_relativity_is_from_0_to_1_and_falls_with_the_order(cosines: list[float], size: int) -> None:
    values = relativity(*cosines, size=size)
    assert values == sorted(values, reverse=True)
    assert all(0 <= value <= 1 for value in values)


def test_a_question_that_nothing_answers_gets_nothing_above_the_threshold() -> None:
    assert max(relativity(0.15, 0.12, size=1000)) < 0.45
    assert max(relativity(0.15, 0.12, size=3)) >= 0.45
    assert max(relativity(0.15, 0.12, size=1000, question=REQUEST)) >= 0.45


async def test_a_calibration_is_fitted_to_any_embedding_model() -> None:
    fitted = await fit(HashEmbedder())
    assert fitted.gain > 0
    assert fitted.noise > 0
    assert -1 < fitted.middle < 1


async def test_a_model_that_gives_noise_is_not_blown_up_until_it_hides_a_word_that_one_memory_has() -> None:
    assert (await fit(HashEmbedder())).noise <= 0.11


async def test_fitting_says_when_the_model_does_not_answer() -> None:
    embedder = HashEmbedder()
    embedder.fail()
    with pytest.raises(ProviderError):
        await fit(embedder)
