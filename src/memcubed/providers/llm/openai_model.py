"""Language models behind OpenAI's chat completions API, which most servers and platforms speak.

Tried against its dialects: OpenAI (also models that want max_completion_tokens and take no temperature), DeepSeek
(JSON mode only), Qwen on DashScope, vLLM, Ollama, LM Studio, llama.cpp.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import httpx
import structlog
from openai import APIError, APIStatusError, AsyncStream
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam
from pydantic import ValidationError

from memcubed.errors import ProviderError
from memcubed.providers.llm.dialect import ChatDialect, Dialect
from memcubed.providers.llm.endpoint import ChatEndpoint, count_tokens
from memcubed.providers.llm.failures import is_too_long, timeout_error
from memcubed.providers.llm.protocol import (
    AnswerT,
    ChatMessage,
    ChatOptions,
    Completion,
    TextDelta,
    TextEnd,
    TooLongForModelError,
)
from memcubed.providers.llm.streaming import StreamReader
from memcubed.providers.llm.strict_schema import JsonSchema, strict_schema
from memcubed.providers.llm.tolerant_json import is_complete_json, parse_tolerantly

ResultT = TypeVar("ResultT")

_log = structlog.get_logger(__name__)

# How much of an unusable answer the model is shown again: enough to see what was wrong.
_SHOWN_AGAIN_CHARACTERS = 4000
_SHORT_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Question:
    schema: JsonSchema
    schema_name: str
    temperature: float


@dataclass(frozen=True, slots=True)
class _Reply:
    text: str
    cut: bool
    input_tokens: int
    output_tokens: int


class OpenAIModel:
    """Implements LanguageModel.

    `timeout` is in seconds and bounds one call as a whole; `retries` are made at once, a moment apart, and only for
    failures that are quickly over (a long wait is the queue's business). A stream is given up when it says nothing for
    `timeout` seconds, or is not at its end after `stream_timeout`. What the endpoint does not support is learnt from
    its refusals and remembered by the instance.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str | None = None,
        timeout: float = 120.0,
        stream_timeout: float = 600.0,
        retries: int = 1,
    ) -> None:
        self.name = model
        self._endpoint = ChatEndpoint(base_url=base_url, model=model, api_key=api_key, timeout=timeout)
        self._host = self._endpoint.host
        self._timeout = timeout
        self._retries = retries
        self._stream_timeout = stream_timeout
        self._dialect = Dialect()
        self._chat_dialect = ChatDialect()

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    async def complete_json(
        self, *, system: str, user: str, answer: type[AnswerT], max_tokens: int, temperature: float = 0.0
    ) -> Completion[AnswerT]:
        """Ask; when the answer is cut ask once with twice the room, when it is unusable once with what was wrong.

        An answer that stays unusable is a retryable ProviderError: another sample may be better, and the queue bounds
        how often that is tried. A refusal is not retryable.
        """
        replies: list[_Reply] = []
        try:
            return await self._complete(system, user, answer, max_tokens, temperature, replies)
        except ProviderError as error:
            error.calls = max(len(replies), 1)
            error.input_tokens += sum(reply.input_tokens for reply in replies)
            error.output_tokens += sum(reply.output_tokens for reply in replies)
            raise

    async def _complete(
        self,
        system: str,
        user: str,
        answer: type[AnswerT],
        max_tokens: int,
        temperature: float,
        replies: list[_Reply],
    ) -> Completion[AnswerT]:
        question = _Question(strict_schema(answer), answer.__name__.lower(), temperature)
        messages: list[ChatCompletionMessageParam] = [
            {"role": "system", "content": _sendable(system)},
            {"role": "user", "content": _sendable(user)},
        ]
        replies.append(await self._ask(messages, question, max_tokens))
        if replies[-1].cut:
            replies.append(await self._ask_with_more_room(messages, question, max_tokens))
        try:
            return _completion(_checked(replies[-1].text, answer), replies)
        except ValueError as error:
            problem = _describe(error)
        _log.info("llm_answer_repaired", model=self.name, problem=problem)
        if bad := replies[-1].text[:_SHOWN_AGAIN_CHARACTERS].strip():
            messages.append({"role": "assistant", "content": _sendable(bad)})
        messages.append({"role": "user", "content": _complaint(problem, question.schema)})
        replies.append(await self._ask(messages, question, max_tokens))
        if replies[-1].cut:
            raise self._truncated(max_tokens)
        try:
            return _completion(_checked(replies[-1].text, answer), replies)
        except ValueError as error:
            raise ProviderError(
                f"the language model {self.name} at {self._host} gave no usable answer, twice: {_describe(error)}"
            ) from error

    async def _ask_with_more_room(
        self, messages: list[ChatCompletionMessageParam], question: _Question, max_tokens: int
    ) -> _Reply:
        try:
            reply = await self._ask(messages, question, 2 * max_tokens)
        except ProviderError as error:
            if error.retryable:
                raise
            # the endpoint gives no room for a longer answer
            raise self._truncated(max_tokens) from error
        if reply.cut:
            raise self._truncated(2 * max_tokens)
        return reply

    def _truncated(self, max_tokens: int) -> TooLongForModelError:
        return TooLongForModelError(
            f"the answer of the language model {self.name} at {self._host} was cut at {max_tokens} tokens"
        )

    async def stream_text(
        self, messages: Sequence[ChatMessage], options: ChatOptions
    ) -> AsyncGenerator[TextDelta | TextEnd, None]:
        """Answer a chat piece by piece. Only a call that failed before its first piece is tried again."""
        ends_at = time.monotonic() + self._stream_timeout
        reader = StreamReader(self.name if options.model is None else options.model, self._host, messages)
        stream = await self._patiently(lambda: self._open_stream(messages, options))
        try:
            while (chunk := await self._next(stream, ends_at)) is not None:
                for delta in reader.read(chunk):
                    yield delta
        finally:
            await stream.close()
        for delta in reader.finish():
            yield delta
        yield reader.end()

    async def _open_stream(
        self, messages: Sequence[ChatMessage], options: ChatOptions
    ) -> AsyncStream[ChatCompletionChunk]:
        sent = [
            cast("ChatCompletionMessageParam", {"role": message.role.value, "content": _sendable(message.content)})
            for message in messages
        ]
        dialect = self._chat_dialect
        while True:
            parameters = dialect.parameters(
                max_tokens=options.max_tokens, temperature=options.temperature, top_p=options.top_p
            )
            try:
                stream: AsyncStream[ChatCompletionChunk] = await self._endpoint.call(
                    sent, {"stream": True, **parameters}, model=options.model
                )
            except APIStatusError as error:
                learnt = dialect.after_refusal(error.status_code, self._refusal(error))
                if learnt is None:
                    raise self._endpoint.error(error) from error
                dialect = learnt
            except APIError as error:
                raise self._endpoint.error(error) from error
            else:
                self._chat_dialect = dialect
                return stream

    async def _next(self, stream: AsyncStream[ChatCompletionChunk], ends_at: float) -> ChatCompletionChunk | None:
        left = ends_at - time.monotonic()
        try:
            async with asyncio.timeout(min(self._timeout, left)):
                return await anext(stream, None)
        except TimeoutError as error:
            limit = self._stream_timeout if left < self._timeout else self._timeout
            raise timeout_error(self._host, limit) from error
        except APIError as error:
            raise self._endpoint.error(error) from error
        except httpx.HTTPError as error:  # which some versions of the library let through
            raise ProviderError(f"the language model at {self._host} broke off ({type(error).__name__})") from error
        except ValueError as error:
            raise ProviderError(f"the language model at {self._host} streamed broken JSON") from error

    async def _ask(self, messages: list[ChatCompletionMessageParam], question: _Question, max_tokens: int) -> _Reply:
        return await self._patiently(lambda: self._ask_in_dialect(messages, question, max_tokens))

    async def _patiently(self, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        attempt = 0
        while True:
            try:
                return await call()
            except ProviderError as error:
                wait = error.retry_after if error.retry_after is not None else 0.0
                patient = error.retryable and not isinstance(error.__cause__, TimeoutError)
                if not patient or attempt >= self._retries or wait > _SHORT_WAIT_SECONDS:
                    raise
                attempt += 1
                await asyncio.sleep(max(wait, random.uniform(0.2, 0.6)))  # noqa: S311 - jitter, no secret

    async def _ask_in_dialect(
        self, messages: list[ChatCompletionMessageParam], question: _Question, max_tokens: int
    ) -> _Reply:
        dialect = self._dialect
        while True:
            try:
                completion = await self._call(messages, question, dialect, max_tokens)
            except APIStatusError as error:
                learnt = dialect.after_refusal(error.status_code, self._refusal(error))
                if learnt is None:
                    raise self._endpoint.error(error) from error
                dialect = learnt
            except APIError as error:
                raise self._endpoint.error(error) from error
            except ValueError as error:  # a body that claims to be JSON and is not
                raise ProviderError(f"the language model at {self._host} answered with broken JSON") from error
            else:
                if dialect != self._dialect:
                    _log.info("llm_dialect_learnt", model=self.name, host=self._host, dialect=str(dialect))
                    self._dialect = dialect
                return self._read(completion)

    async def _call(
        self, messages: list[ChatCompletionMessageParam], question: _Question, dialect: Dialect, max_tokens: int
    ) -> object:
        if dialect.shows_schema:
            messages = [_with_schema(messages[0], question.schema), *messages[1:]]
        parameters = dialect.parameters(question.schema, question.schema_name, max_tokens, question.temperature)
        return await self._endpoint.call(messages, parameters)

    def _refusal(self, error: APIStatusError) -> str:
        """What an endpoint said to refuse a call. Raises TooLongForModelError when that is the reason."""
        refusal = error.response.text[:_SHOWN_AGAIN_CHARACTERS]
        if is_too_long(error.status_code, refusal):
            raise TooLongForModelError(
                f"the messages do not fit the context of the language model {self.name} at {self._host}"
            ) from error
        return refusal

    def _read(self, completion: object) -> _Reply:
        # The library does not check what it parses: any field may be missing or of another type.
        choices = completion.choices if isinstance(completion, ChatCompletion) else None
        message = getattr(choices[0], "message", None) if choices else None
        if not isinstance(completion, ChatCompletion) or not choices or message is None:
            raise ProviderError(
                f"the language model at {self._host} answered with something that is no chat completion"
            )
        finish = choices[0].finish_reason
        if getattr(message, "refusal", None) or finish == "content_filter":
            why = "its content filter stopped the answer" if finish == "content_filter" else "it refused to answer"
            refused = ProviderError(f"the language model {self.name} at {self._host}: {why}", retryable=False)
            refused.input_tokens, refused.output_tokens = count_tokens(completion)
            raise refused
        text = _text(message.content)
        return _Reply(text, finish == "length" and not is_complete_json(text), *count_tokens(completion))


def _sendable(text: str) -> str:
    """Replace lone surrogates, which no encoding of a request takes."""
    return text.encode("utf-8", "replace").decode()


def _text(content: object) -> str:
    """Join the text of a message: a string, or a list of typed parts of which the thinking is left out."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(
            str(part.get("text") or "") for part in content if isinstance(part, dict) and part.get("type") == "text"
        )
    return ""


def _checked(text: str, answer: type[AnswerT]) -> AnswerT:
    return answer.model_validate(parse_tolerantly(text))


def _completion(answer: AnswerT, replies: list[_Reply]) -> Completion[AnswerT]:
    return Completion(
        answer,
        input_tokens=sum(reply.input_tokens for reply in replies),
        output_tokens=sum(reply.output_tokens for reply in replies),
        calls=len(replies),
    )


def _describe(error: ValueError) -> str:
    """Say what is wrong with an answer, without quoting it: this text reaches logs and the task's receipt."""
    if isinstance(error, ValidationError):
        found = error.errors(include_input=False, include_url=False, include_context=False)[:5]
        return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'answer'}: {item['msg']}" for item in found)
    return str(error)


def _spelt_out(schema: JsonSchema) -> str:
    return f"Answer with one JSON object only, no other text. It matches this JSON Schema:\n{json.dumps(schema)}"


def _with_schema(system: ChatCompletionMessageParam, schema: JsonSchema) -> ChatCompletionMessageParam:
    return {"role": "system", "content": f"{system.get('content')}\n\n{_spelt_out(schema)}"}


def _complaint(problem: str, schema: JsonSchema) -> str:
    return f"That answer cannot be used: {problem}.\nGive the whole answer again. {_spelt_out(schema)}"
