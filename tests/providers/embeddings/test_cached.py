import asyncio

import numpy as np
import pytest

from memcubed.errors import ProviderError
from memcubed.providers.embeddings.cached import CachedEmbedder
from memcubed.providers.embeddings.scripted import HashEmbedder


async def test_a_query_is_asked_once() -> None:
    inner = HashEmbedder()
    cached = CachedEmbedder(inner, size=10)
    first = await cached.embed_query("where is the key")
    assert np.array_equal(first, await inner.embed_query("where is the key"))
    again = await cached.embed_query("where is the key")
    assert np.array_equal(first, again)
    assert inner.calls == 2
    assert (cached.hits, cached.misses) == (1, 1)


async def test_equal_queries_at_the_same_time_share_a_call() -> None:
    inner = HashEmbedder()
    cached = CachedEmbedder(inner, size=10)
    vectors = await asyncio.gather(*(cached.embed_query("same") for _ in range(5)), cached.embed_query("other"))
    assert inner.calls == 2
    assert (cached.hits, cached.misses) == (4, 2)
    assert all(np.array_equal(vector, vectors[0]) for vector in vectors[:5])


async def test_the_least_recently_used_is_dropped() -> None:
    inner = HashEmbedder()
    cached = CachedEmbedder(inner, size=2)
    for text in ("a", "b", "a", "c", "a"):
        await cached.embed_query(text)
    assert cached.misses == 3
    await cached.embed_query("b")
    assert cached.misses == 4


async def test_a_size_of_zero_keeps_nothing() -> None:
    cached = CachedEmbedder(HashEmbedder(), size=0)
    for _ in range(2):
        await cached.embed_query("a")
    assert (cached.hits, cached.misses) == (0, 2)


async def test_failures_reach_every_caller_and_are_not_kept() -> None:
    inner = HashEmbedder()
    cached = CachedEmbedder(inner, size=10)
    inner.fail()
    results = await asyncio.gather(*(cached.embed_query("a") for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, ProviderError) for result in results)
    assert inner.calls == 1
    inner.recover()
    assert (await cached.embed_query("a")).shape == (256,)


async def test_a_caller_that_gives_up_does_not_take_the_answer_from_others() -> None:
    inner = HashEmbedder()
    cached = CachedEmbedder(inner, size=10)
    first = asyncio.create_task(cached.embed_query("a"))
    second = asyncio.create_task(cached.embed_query("a"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).shape == (256,)
    assert inner.calls == 1


async def test_cached_vectors_cannot_be_changed() -> None:
    vector = await CachedEmbedder(HashEmbedder(), size=10).embed_query("a")
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 5.0


async def test_documents_and_names_pass_through() -> None:
    inner = HashEmbedder(64, space="test@1")
    cached = CachedEmbedder(inner, size=10)
    await cached.load()
    assert (cached.space, cached.dimensions) == ("test@1", 64)
    assert len(await cached.embed_documents(["a", "b"])) == 2
    assert (cached.hits, cached.misses) == (0, 0)
