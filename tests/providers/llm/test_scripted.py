import json
import urllib.request

import pytest
from pydantic import BaseModel

from memcubed.errors import ProviderError
from memcubed.providers.llm import LanguageModel, ScriptedModel
from tests.support.scripted_llm import ScriptedServer, hash_vector, status_answer


class Number(BaseModel):
    n: int


async def ask(model: LanguageModel) -> Number:
    return (await model.complete_json(system="s", user="u", answer=Number, max_tokens=5)).answer


async def test_a_queue_is_used_up_in_order() -> None:
    model = ScriptedModel([{"n": 1}, '```json\n{"n": 2}\n```', ProviderError("down"), {"n": "x"}])
    assert (await ask(model)).n == 1
    assert (await ask(model)).n == 2
    for _ in range(3):
        with pytest.raises(ProviderError):
            await ask(model)
    assert [call.user for call in model.calls] == ["u"] * 5


async def test_a_callable_sees_the_call() -> None:
    model = ScriptedModel(lambda call: {"n": call.max_tokens})
    assert (await ask(model)).n == 5
    await model.close()
    assert model.closed


def post(url: str, body: object) -> object:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return json.load(answer)


def test_the_server_lists_models_and_embeds() -> None:
    with ScriptedServer(dimensions=70, models=("a", "b")) as server:
        with urllib.request.urlopen(f"{server.base_url}/models") as answer:  # noqa: S310
            assert [model["id"] for model in json.load(answer)["data"]] == ["a", "b"]
        embedded = post(f"{server.base_url}/embeddings", {"model": "e", "input": ["x", "y", "x"]})
        assert isinstance(embedded, dict)
        vectors = [item["embedding"] for item in embedded["data"]]
        assert vectors[0] == vectors[2] == hash_vector("x", 70)
        assert vectors[0] != vectors[1]
        assert sum(number * number for number in vectors[0]) == pytest.approx(1.0)
        server.embedding_script = lambda _: status_answer(503)
        with pytest.raises(OSError, match="503"):
            post(f"{server.base_url}/embeddings", {"input": "x"})


def test_the_server_comes_back_on_the_same_port() -> None:
    server = ScriptedServer().start()
    first = server.base_url
    server.stop()
    with server:
        assert server.base_url == first
        post(f"{first}/chat/completions", {"messages": [{"role": "user", "content": "hello"}]})
    assert len(server.chats) == 1
