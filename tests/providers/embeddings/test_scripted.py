import numpy as np
import pytest

from memcubed.errors import ProviderError
from memcubed.providers.embeddings.scripted import HashEmbedder


@pytest.mark.parametrize("text", ["", "\x00", "\ud800", "a", "我家的猫", "x" * 100_000])
async def test_any_string_gives_a_vector_of_unit_length(text: str) -> None:
    vector = await HashEmbedder(128).embed_query(text)
    assert vector.shape == (128,)
    assert vector.dtype == np.float32
    assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-5)


async def test_equal_texts_have_equal_vectors_in_every_instance() -> None:
    query = await HashEmbedder().embed_query("The Cat")
    document = (await HashEmbedder().embed_documents(["other", "the cat"]))[1]
    assert np.array_equal(query, document)


@pytest.mark.parametrize(
    ("question", "near", "far"),
    [
        ("where does Anna live", "Anna lives in Bergen", "The bill is paid monthly"),
        ("安娜住在哪里", "安娜住在卑尔根", "账单每月支付"),
    ],
)
async def test_texts_that_share_words_are_nearer(question: str, near: str, far: str) -> None:
    embedder = HashEmbedder()
    rows = np.stack(await embedder.embed_documents([near, far]))
    scores = rows @ await embedder.embed_query(question)
    assert scores[0] > scores[1] + 0.2


async def test_it_fails_when_told_to() -> None:
    embedder = HashEmbedder()
    embedder.fail(times=2, retryable=False)
    for _ in range(2):
        with pytest.raises(ProviderError) as raised:
            await embedder.embed_query("a")
        assert not raised.value.retryable
    await embedder.embed_query("a")
    embedder.fail()
    for _ in range(3):
        with pytest.raises(ProviderError):
            await embedder.embed_documents(["a"])
    embedder.recover()
    await embedder.embed_documents(["a"])
    assert embedder.calls == 7
