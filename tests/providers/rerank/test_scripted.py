import asyncio

import pytest

from memcubed.errors import ProviderError
from memcubed.providers.rerank import Reranker, ScriptedReranker


async def test_it_scores_by_shared_words_or_by_its_script() -> None:
    plain: Reranker = ScriptedReranker()
    assert await plain.score("red bicycle", ["The red bicycle", "a RED hat", "nothing"]) == [1.0, 0.5, 0.0]
    scripted = ScriptedReranker(lambda query, document: len(document) / len(query))
    assert await scripted.score("four", ["a", "ab"]) == [0.25, 0.5]
    assert [(call.query, call.documents) for call in scripted.calls] == [("four", ("a", "ab"))]


async def test_it_can_fail_hang_and_recover() -> None:
    reranker = ScriptedReranker()
    reranker.fail(retryable=False)
    with pytest.raises(ProviderError) as raised:
        await reranker.score("a", ["a"])
    assert not raised.value.retryable
    reranker.recover()
    reranker.hang()
    waiting = asyncio.create_task(reranker.score("a", ["a"]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    reranker.recover()
    assert await reranker.score("a", ["a"]) == [1.0]
    await reranker.close()
    assert reranker.closed
