"""stream_text: an answer piece by piece, whatever dialect the endpoint streams in."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest

from memcubed.errors import ProviderError
from memcubed.providers.llm import (
    ChatMessage,
    ChatOptions,
    ChatRole,
    DeltaKind,
    OpenAIModel,
    ScriptedModel,
    TextDelta,
    TextEnd,
    TooLongForModelError,
)
from tests.support.scripted_llm import (
    Answer,
    Json,
    Script,
    ScriptedServer,
    api_error,
    breaking_off,
    drop_connection,
    holding,
    status_answer,
    stream_answer,
    text_answer,
)

HELLO = (ChatMessage(ChatRole.SYSTEM, "be brief"), ChatMessage(ChatRole.USER, "你好 hello"))
OPTIONS = ChatOptions(max_tokens=50, temperature=0.3, top_p=0.9)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(text_answer("Hello to you.")) as running:
        yield running


@pytest.fixture
async def model(server: ScriptedServer) -> AsyncIterator[OpenAIModel]:
    opened = OpenAIModel(base_url=server.base_url, model="tiny", retries=0, timeout=10)
    yield opened
    await opened.close()


async def collect(model: OpenAIModel, options: ChatOptions = OPTIONS) -> tuple[str, str, TextEnd]:
    """The reasoning, the text and the end."""
    items = [item async for item in model.stream_text(HELLO, options)]
    end = items.pop()
    assert isinstance(end, TextEnd)
    deltas = [item for item in items if isinstance(item, TextDelta)]
    assert len(deltas) == len(items)
    assert all(delta.text for delta in deltas)
    thought, said = ("".join(d.text for d in deltas if d.kind is kind) for kind in DeltaKind)
    return thought, said, end


async def answered(server: ScriptedServer, model: OpenAIModel, script: Answer | Script) -> tuple[str, str, TextEnd]:
    server.answer_with(script)
    return await collect(model)


async def failure(server: ScriptedServer, model: OpenAIModel, script: Answer | Script) -> ProviderError:
    server.answer_with(script)
    with pytest.raises(ProviderError) as raised:
        await collect(model)
    assert "hello" not in raised.value.message
    return raised.value


async def test_text_comes_in_pieces_with_what_it_cost(server: ScriptedServer, model: OpenAIModel) -> None:
    thought, said, end = await collect(model)
    assert (thought, said) == ("", "Hello to you.")
    assert end.input_tokens > 0
    assert end.output_tokens > 0
    assert not end.is_estimated
    assert not end.is_cut
    chat = server.chats[0]
    assert chat["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "你好 hello"}]
    assert (chat["model"], chat["stream"], chat["max_tokens"]) == ("tiny", True, 50)
    assert (chat["temperature"], chat["top_p"]) == (0.3, 0.9)


async def test_another_model_of_the_endpoint_can_be_asked(server: ScriptedServer, model: OpenAIModel) -> None:
    await collect(model, ChatOptions(max_tokens=5, model="large"))
    assert server.chats[0]["model"] == "large"


@pytest.mark.parametrize(
    "deltas",
    [
        ({"reasoning_content": "let me "}, {"reasoning_content": "see"}, "It is ", "4."),
        ({"reasoning": "let me see"}, "It is 4."),
        ("<think>let me see</think>\n\nIt is 4.",),
        ("<th", "ink>let ", "me see</", "think>", "\n", "It is", " 4."),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "let me see"}]}]}, "It is 4."),
    ],
)
async def test_reasoning_is_told_from_the_answer(
    server: ScriptedServer, model: OpenAIModel, deltas: tuple[str | Json, ...]
) -> None:
    thought, said, _ = await answered(server, model, stream_answer(*deltas))
    assert (thought, said) == ("let me see", "It is 4.")


async def test_a_tag_in_the_middle_is_text(server: ScriptedServer, model: OpenAIModel) -> None:
    text = "Write <think>so</think> in the file. 1 < 2"
    assert (await answered(server, model, stream_answer(*text)))[:2] == ("", text)


async def test_what_cannot_be_stored_is_replaced(server: ScriptedServer, model: OpenAIModel) -> None:
    assert (await answered(server, model, stream_answer("a\x00b\ud83d")))[1] == "a\ufffdb\ufffd"


async def test_an_answer_that_was_cut_says_so(server: ScriptedServer, model: OpenAIModel) -> None:
    assert (await answered(server, model, text_answer("It is", finish_reason="length")))[2].is_cut


@pytest.mark.parametrize(
    ("refused", "named"),
    [
        ("max_tokens", "Unsupported parameter: 'max_tokens'; use 'max_completion_tokens' instead."),
        ("temperature", "Unsupported value: 'temperature' does not support 0.3 with this model."),
        ("top_p", "`temperature` and `top_p` cannot both be specified for this model."),
        ("stream_options", "extra fields not permitted: stream_options"),
    ],
)
async def test_a_parameter_that_is_refused_is_left_out(
    server: ScriptedServer, model: OpenAIModel, refused: str, named: str
) -> None:
    def script(request: Json) -> Answer:
        return api_error(400, named, param=refused) if refused in request else text_answer("fine")

    _, said, end = await answered(server, model, script)
    assert said == "fine"
    assert end.is_estimated == (refused == "stream_options")
    assert end.input_tokens > 0
    await collect(model)
    assert len(server.chats) == 3  # the refused one, and the two in the dialect that was learnt


async def test_failures_say_what_is_wrong(server: ScriptedServer, model: OpenAIModel) -> None:
    busy = await failure(server, model, status_answer(429, retry_after="7"))
    assert busy.retry_after == 7
    assert not (await failure(server, model, status_answer(401))).retryable
    assert "cannot be reached" in (await failure(server, model, drop_connection())).message
    assert (await failure(server, model, breaking_off(stream_answer("half an answ")))).retryable
    assert "nothing" in (await failure(server, model, stream_answer(""))).message
    assert "max_tokens" in (await failure(server, model, text_answer("<think>hm", finish_reason="length"))).message
    assert not (await failure(server, model, stream_answer({"refusal": "no"}))).retryable
    assert not (await failure(server, model, stream_answer("a", finish_reason="content_filter"))).retryable
    assert (await failure(server, model, status_answer(200, {"error": {"message": "x"}}))).retryable
    long = "This model's maximum context length is 4096 tokens."
    assert isinstance(await failure(server, model, api_error(400, long)), TooLongForModelError)


async def test_a_failure_before_the_first_piece_is_tried_again(server: ScriptedServer) -> None:
    server.answer_with([status_answer(503), text_answer("fine")])
    model = OpenAIModel(base_url=server.base_url, model="tiny", retries=1)
    assert (await collect(model))[1] == "fine"
    await model.close()


@pytest.mark.parametrize("limits", [{"timeout": 0.2}, {"stream_timeout": 0.2}])
async def test_a_stream_that_stalls_is_given_up_and_closed(server: ScriptedServer, limits: dict[str, float]) -> None:
    server.answer_with(holding(stream_answer("half")))
    model = OpenAIModel(base_url=server.base_url, model="tiny", retries=0, **limits)  # type: ignore[arg-type]  # names
    with pytest.raises(ProviderError, match=r"within 0\.2 s"):
        await collect(model)
    assert server.hung_up.wait(10)
    await model.close()


async def test_closing_the_stream_closes_the_connection(server: ScriptedServer, model: OpenAIModel) -> None:
    server.answer_with(holding(stream_answer("half", " an answer")))
    async with aclosing(model.stream_text(HELLO, OPTIONS)) as stream:
        assert await anext(stream) == TextDelta(DeltaKind.TEXT, "half")
    assert server.hung_up.wait(10)


async def test_a_scripted_model_streams_its_script() -> None:
    thought = TextDelta(DeltaKind.REASONING, "hm")
    model = ScriptedModel(chats=["one\ntwo", [thought, "three"], ProviderError("down")])
    texts = [[item async for item in model.stream_text(HELLO, OPTIONS)] for _ in range(2)]
    assert texts[0] == [TextDelta(DeltaKind.TEXT, "one\n"), TextDelta(DeltaKind.TEXT, "two"), TextEnd(100, 20)]
    assert texts[1][:2] == [thought, TextDelta(DeltaKind.TEXT, "three")]
    for _ in range(2):
        with pytest.raises(ProviderError):
            await anext(model.stream_text(HELLO, OPTIONS))
    assert [chat.messages for chat in model.chats] == [HELLO] * 4
