from datetime import UTC, datetime

from memcubed.memories.model import MemoryKind
from memcubed.messages.model import Role
from memcubed.recall.model import Arm, Calibration, Candidate, Found
from memcubed.recall.question import Question
from memcubed.recall.ranking import Weights, rank
from tests.recall.candidates import NOW, candidate

FACT = Question.read("Where do I live?", NOW)
OLD = datetime(2023, 1, 1, tzinfo=UTC)


def order(
    *candidates: Candidate,
    question: Question = FACT,
    weights: Weights | None = None,
    conversation_id: str | None = None,
) -> list[str]:
    speakers = frozenset(one.speaker for one in candidates if one.speaker is not None)
    times = [one.told_at for one in candidates]
    found = Found(candidates, size=len(candidates), speakers=speakers, oldest=min(times), newest=max(times))
    return [one.candidate.value for one in rank(found, question, weights or Weights(), conversation_id=conversation_id)]


def test_vectors_words_and_neighbours_add_up() -> None:
    both = candidate("both", cosine=0.2, lexical=0.2)
    assert order(candidate("near", cosine=0.3), both, candidate("word", cosine=0.0, lexical=0.35)) == [
        "both",
        "word",
        "near",
    ]
    assert order(candidate("near", cosine=0.3), candidate("beside", cosine=0.25, around=0.1)) == ["beside", "near"]


def test_arms_can_be_left_out() -> None:
    near, word = candidate("near", cosine=0.5), candidate("word", cosine=0.0, lexical=0.9)
    assert order(near, word) == ["word", "near"]
    assert order(near, word, weights=Weights.of([Arm.VECTORS])) == ["near", "word"]
    assert order(near, word, weights=Weights.of([Arm.WORDS])) == ["word", "near"]


def test_the_conversation_at_hand_is_preferred_but_decides_little() -> None:
    here, there = candidate("here", conversation_id="here"), candidate("there", cosine=0.32)
    assert order(here, there, conversation_id="here") == ["here", "there"]
    better = candidate("better", cosine=0.6)
    assert order(here, better, conversation_id="here") == ["better", "here"]


def test_what_only_the_assistant_said_comes_after_unless_it_is_asked_for() -> None:
    said, suggested = candidate("said"), candidate("suggested", cosine=0.4, role=Role.ASSISTANT)
    assert order(said, suggested) == ["said", "suggested"]
    asked = Question.read("What did you suggest to me?", NOW)
    assert order(said, suggested, question=asked) == ["suggested", "said"]


def test_the_one_speaker_that_is_named_comes_first() -> None:
    ann, bob = candidate("ann", speaker="Ann"), candidate("bob", speaker="Bob", cosine=0.4)
    assert order(ann, bob) == ["bob", "ann"]
    assert order(ann, bob, question=Question.read("What does Ann collect?", NOW)) == ["ann", "bob"]


def test_the_present_and_the_past_state_are_told_apart() -> None:
    new, old = candidate("new"), candidate("old", told_at=OLD)
    assert order(old, new, question=Question.read("Where do I live now?", NOW)) == ["new", "old"]
    assert order(old, new, question=Question.read("Where did I live before?", NOW)) == ["old", "new"]


def test_a_request_prefers_preferences() -> None:
    fact = candidate("fact", cosine=0.33)
    preference = candidate("preference", kind=MemoryKind.EXPLICIT_PREFERENCE)
    assert order(fact, preference) == ["fact", "preference"]
    request = Question.read("Recommend a place for dinner.", NOW)
    assert order(fact, preference, question=request) == ["preference", "fact"]


def test_of_memories_that_say_the_same_only_the_best_is_kept() -> None:
    twins = [candidate("worse", cosine=0.1, fingerprint="x"), candidate("better", cosine=0.5, fingerprint="x")]
    assert order(*twins, candidate("other")) == ["better", "other"]


def test_a_memory_without_a_vector_is_ranked_by_its_words() -> None:
    assert order(candidate("new", cosine=None, lexical=0.4), candidate("near", cosine=0.3)) == ["new", "near"]


def test_another_models_cosines_are_brought_to_the_common_scale() -> None:
    weights = Weights().calibrated(Calibration(middle=0.08, noise=0.05, gain=4.0, shift=0.7))
    near, word = candidate("near", cosine=0.8), candidate("word", cosine=0.7, lexical=0.3)
    assert order(near, word, weights=weights) == ["near", "word"]


def test_what_corrects_others_comes_before_them_and_nowhere_else() -> None:
    old, new = candidate("old", cosine=0.5), candidate("new", cosine=0.48, weight=2.0)
    assert order(old, new) == ["new", "old"]
    assert order(old, candidate("elsewhere", cosine=0.2, weight=2.0)) == ["old", "elsewhere"]
    found = Found((old, candidate("stranger", cosine=-0.1, weight=2.0)), size=2)
    parts = [one.parts["weight"] for one in rank(found, FACT, Weights(), conversation_id=None)]
    assert parts == [0.0, 0.0]
