import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from pydantic import BaseModel, Field

from memcubed.errors import ProviderError
from memcubed.providers.llm import Completion, OpenAIModel, TooLongForModelError
from tests.support.scripted_llm import (
    Answer,
    Json,
    Script,
    ScriptedServer,
    after,
    api_error,
    drop_connection,
    json_answer,
    refusal,
    refusing,
    status_answer,
    text_answer,
)

KEY = "sk-very-secret-key"
PROMPT = "the-private-prompt"


class Fruit(BaseModel):
    name: str = Field(json_schema_extra={"maxLength": 20})
    count: int


PEAR = {"name": "pear", "count": 2}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(json_answer(PEAR)) as running:
        yield running


@asynccontextmanager
async def opened(server: ScriptedServer, *, retries: int = 0, within: float = 10.0) -> AsyncIterator[OpenAIModel]:
    model = OpenAIModel(
        base_url=server.base_url,
        model="tiny",
        api_key=KEY,
        retries=retries,
        timeout=within,
    )
    try:
        yield model
    finally:
        await model.close()


async def ask(model: OpenAIModel, max_tokens: int = 50) -> Completion[Fruit]:
    return await model.complete_json(system="be brief", user=PROMPT, answer=Fruit, max_tokens=max_tokens)


async def failure(
    server: ScriptedServer, script: Answer | list[Answer] | Script, *, retries: int = 0, within: float = 10.0
) -> ProviderError:
    server.answer_with(script)
    async with opened(server, retries=retries, within=within) as model:
        with pytest.raises(ProviderError) as raised:
            await ask(model)
    shown = f"{raised.value.message} {raised.value!r}"
    assert KEY not in shown
    assert PROMPT not in shown
    return raised.value


def formats(server: ScriptedServer) -> list[str | None]:
    return [(chat.get("response_format") or {}).get("type") for chat in server.chats]


async def test_a_schema_is_sent_and_the_answer_is_checked_data(server: ScriptedServer) -> None:
    async with opened(server) as model:
        completion = await ask(model)
    assert completion.answer == Fruit(name="pear", count=2)
    assert completion.calls == 1
    assert completion.input_tokens > 0
    assert completion.output_tokens > 0
    chat = server.chats[0]
    assert chat["model"] == "tiny"
    assert chat["max_tokens"] == 50
    assert chat["temperature"] == 0
    assert [message["role"] for message in chat["messages"]] == ["system", "user"]
    given = chat["response_format"]["json_schema"]
    assert given["strict"] is True
    assert given["schema"]["required"] == ["name", "count"]
    assert given["schema"]["additionalProperties"] is False
    assert given["schema"]["properties"]["name"]["maxLength"] == 20


async def test_the_key_goes_out_and_nothing_of_the_environment_does(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "from-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    keyless = OpenAIModel(base_url=server.base_url, model="tiny")
    await ask(keyless)
    await keyless.close()
    async with opened(server) as model:
        await ask(model)
    assert "from-the-environment" not in str(server.requests[0].headers)
    assert server.requests[1].headers["authorization"] == f"Bearer {KEY}"


async def test_json_mode_is_used_where_schemas_are_refused_and_that_is_remembered(server: ScriptedServer) -> None:
    server.answer_with(refusing("json_schema", then=json_answer(PEAR)))
    async with opened(server) as model:
        await ask(model)
        await ask(model)
    assert formats(server) == ["json_schema", "json_object", "json_object"]
    # JSON mode wants the word in the prompt, and nothing else tells the model the form
    system = server.chats[1]["messages"][0]["content"]
    assert "JSON Schema" in system
    assert '"count"' in system


async def test_plain_text_is_parsed_where_json_mode_is_refused_too(server: ScriptedServer) -> None:
    said = text_answer(
        '<think>{"name": "wrong"}</think>Here you are:\n```json\n{"name": "pear", "count": 2,}\n```\nBye!'
    )
    server.answer_with(refusing("json_schema", "json_object", then=said))
    async with opened(server) as model:
        assert (await ask(model)).answer == Fruit(name="pear", count=2)
        await ask(model)
    assert formats(server) == ["json_schema", "json_object", None, None]


async def test_a_schema_without_bounds_is_tried_where_bounds_are_refused(server: ScriptedServer) -> None:
    def script(request: Json) -> Answer:
        if "maxLength" in str(request["response_format"]):
            return api_error(400, "Invalid schema for response_format 'fruit': 'maxLength' is not permitted.")
        return json_answer(PEAR)

    server.answer_with(script)
    async with opened(server) as model:
        await ask(model)
    assert formats(server) == ["json_schema", "json_schema"]


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{"loc": ["body", "response_format", "type"], "msg": "value is not a valid enumeration member"}]},
        {"error": {"message": "'response_format.type' must be 'text'"}},
        {"error": "Failed to parse grammar"},
    ],
)
@pytest.mark.parametrize("status", [400, 422, 500])
async def test_common_ways_to_refuse_a_schema_are_understood(server: ScriptedServer, status: int, body: object) -> None:
    server.answer_with([status_answer(status, body), json_answer(PEAR)])
    async with opened(server) as model:
        await ask(model)
    assert formats(server) == ["json_schema", "json_object"]


async def test_models_that_want_other_parameters_get_them(server: ScriptedServer) -> None:
    def script(request: Json) -> Answer:
        if "max_tokens" in request:
            return api_error(
                400,
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.",
                param="max_tokens",
                code="unsupported_parameter",
            )
        if "temperature" in request:
            return api_error(400, "'temperature' does not support 0 with this model.", param="temperature")
        return json_answer(PEAR)

    server.answer_with(script)
    async with opened(server) as model:
        await ask(model)
        await ask(model)
    assert len(server.chats) == 4
    assert server.chats[-1]["max_completion_tokens"] == 50
    assert formats(server) == ["json_schema"] * 4


async def test_thinking_is_turned_off_where_the_endpoint_asks_for_it(server: ScriptedServer) -> None:
    server.answer_with(
        lambda request: (
            json_answer(PEAR)
            if request.get("enable_thinking") is False
            else api_error(400, "parameter.enable_thinking must be set to false for non-streaming calls")
        )
    )
    async with opened(server) as model:
        assert (await ask(model)).answer.name == "pear"


async def test_a_refusal_that_only_quotes_the_prompt_changes_nothing_for_later_calls(server: ScriptedServer) -> None:
    quoted = api_error(400, "context too long: ... response_format temperature max_tokens ...")
    error = await failure(server, quoted)
    assert error.retryable is False
    server.answer_with([quoted] * 6 + [json_answer(PEAR)])
    async with opened(server) as model:
        with pytest.raises(ProviderError):
            await ask(model)
        before = len(server.chats)
        server.answer_with(json_answer(PEAR))
        await ask(model)
    assert formats(server)[before:] == ["json_schema"]


async def test_an_unusable_answer_is_shown_once_with_what_is_wrong(server: ScriptedServer) -> None:
    server.answer_with([json_answer({"name": "pear"}), json_answer(PEAR)])
    async with opened(server) as model:
        completion = await ask(model)
    assert completion.calls == 2
    assert completion.answer.count == 2
    messages = server.chats[1]["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[2]["content"] == '{"name": "pear"}'
    assert "count: Field required" in messages[3]["content"]
    assert completion.input_tokens > len(PROMPT) * 2


async def test_an_answer_that_stays_unusable_is_an_error_worth_another_try(server: ScriptedServer) -> None:
    error = await failure(server, text_answer("I like pears."))
    assert error.retryable is True
    assert "no usable answer" in error.message
    assert "pears" not in error.message
    assert len(server.chats) == 2


async def test_an_empty_answer_is_asked_for_again(server: ScriptedServer) -> None:
    server.answer_with([Answer(message={"content": None}), json_answer(PEAR)])
    async with opened(server) as model:
        await ask(model)
    assert [message["role"] for message in server.chats[1]["messages"]] == ["system", "user", "user"]


async def test_text_in_parts_is_joined_and_thinking_left_out(server: ScriptedServer) -> None:
    parts = [{"type": "thinking", "thinking": "{}"}, {"type": "text", "text": '{"name": "pear",'}]
    server.answer_with(Answer(message={"content": [*parts, {"type": "text", "text": '"count": 2}'}]}))
    async with opened(server) as model:
        assert (await ask(model)).calls == 1


async def test_a_cut_answer_gets_twice_the_room_once(server: ScriptedServer) -> None:
    cut = text_answer('{"name": "pe', finish_reason="length")
    server.answer_with([cut, json_answer(PEAR)])
    async with opened(server) as model:
        assert (await ask(model)).calls == 2
        assert [chat["max_tokens"] for chat in server.chats] == [50, 100]
        server.answer_with(cut)
        with pytest.raises(TooLongForModelError, match="cut at 100 tokens"):
            await ask(model)


async def test_a_cut_answer_is_reported_as_such_when_there_is_no_more_room(server: ScriptedServer) -> None:
    cut = text_answer('{"name": "pe', finish_reason="length")
    server.answer_with([cut, api_error(400, "max_tokens is too large: at most 50")])
    async with opened(server) as model:
        with pytest.raises(TooLongForModelError, match="cut at 50 tokens"):
            await ask(model)


@pytest.mark.parametrize(
    "refusal",
    [
        api_error(400, "This model's maximum context length is 4096 tokens", code="context_length_exceeded"),
        status_answer(400, {"error": {"code": 400, "message": "the request exceeds the available context size"}}),
    ],
)
async def test_a_question_that_does_not_fit_the_context_is_told_apart(server: ScriptedServer, refusal: Answer) -> None:
    error = await failure(server, refusal)
    assert isinstance(error, TooLongForModelError)
    assert error.retryable is False


async def test_a_whole_answer_is_taken_although_the_endpoint_calls_it_cut(server: ScriptedServer) -> None:
    server.answer_with(text_answer('{"name": "pear", "count": 2}', finish_reason="length"))
    async with opened(server) as model:
        assert (await ask(model)).calls == 1


@pytest.mark.parametrize("answer", [refusal(), text_answer("", finish_reason="content_filter")])
async def test_refusals_are_final(server: ScriptedServer, answer: Answer) -> None:
    error = await failure(server, answer)
    assert error.retryable is False
    assert len(server.chats) == 1


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        *((status, False) for status in (400, 401, 403, 404, 413)),
        *((status, True) for status in (408, 409, 429, 500, 502, 503, 529)),
    ],
)
async def test_a_status_says_whether_trying_again_helps(
    server: ScriptedServer, status: int, *, retryable: bool
) -> None:
    leak = f"Incorrect API key provided: {KEY}; prompt: {PROMPT}"
    error = await failure(server, api_error(status, leak, code="some_code"))
    assert error.retryable is retryable
    assert error.message.startswith(f"the language model at 127.0.0.1 answered {status} some_code")


async def test_an_unknown_model_is_named(server: ScriptedServer) -> None:
    error = await failure(server, api_error(404, "The model `tiny` does not exist", code="model_not_found"))
    assert "tiny" in error.message
    assert error.retryable is False


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("1.5", 1.5), ("soon", None), (None, None), ("nan", None)])
async def test_the_wait_that_is_asked_for_is_passed_on(
    server: ScriptedServer, header: str | None, seconds: float | None
) -> None:
    error = await failure(server, status_answer(429, retry_after=header))
    assert error.retry_after == seconds


async def test_a_dropped_connection_is_retryable_and_tried_again_at_once(server: ScriptedServer) -> None:
    assert (await failure(server, drop_connection())).retryable is True
    server.answer_with([drop_connection(), json_answer(PEAR)])
    async with opened(server, retries=1) as model:
        assert (await ask(model)).answer.name == "pear"


async def test_a_long_wait_is_left_to_the_queue(server: ScriptedServer) -> None:
    error = await failure(server, status_answer(429, retry_after="30"), retries=3)
    assert error.retry_after == 30
    assert len(server.chats) == 1


async def test_nobody_listening_is_retryable() -> None:
    with ScriptedServer() as server:
        pass
    model = OpenAIModel(base_url=server.base_url, model="tiny", retries=0)
    with pytest.raises(ProviderError, match="cannot be reached") as raised:
        await ask(model)
    await model.close()
    assert raised.value.retryable is True


async def test_a_slow_answer_times_out_and_is_not_asked_for_again(server: ScriptedServer) -> None:
    error = await failure(server, after(1.0, json_answer(PEAR)), within=0.2, retries=2)
    assert error.retryable is True
    assert "within 0.2 s" in error.message
    assert len(server.chats) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<html>It works!</html>",
        b'{"broken": ',
        b'"text"',
        b"[]",
        b"{}",
        b"null",
        b'{"choices": []}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": "x"}',
        b'{"error": {"message": "upstream"}}',
    ],
)
async def test_whatever_is_no_chat_completion_is_a_provider_error(server: ScriptedServer, body: bytes) -> None:
    assert (await failure(server, status_answer(200, body))).retryable is True


async def test_logs_hold_neither_prompt_nor_answer(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer_with([json_answer({"name": "secret-pear"}), json_answer(PEAR)])
    with caplog.at_level(logging.INFO):
        async with opened(server) as model:
            await ask(model)
    printed = capsys.readouterr()
    for text in (caplog.text, printed.out, printed.err):
        assert PROMPT not in text
        assert "secret-pear" not in text
        assert KEY not in text


async def test_lone_surrogates_are_replaced(server: ScriptedServer) -> None:
    async with opened(server) as model:
        await model.complete_json(system="s", user="a\ud800b", answer=Fruit, max_tokens=5)
    assert server.chats[0]["messages"][1]["content"] == "a?b"
