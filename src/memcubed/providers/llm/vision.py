"""Vision models behind OpenAI's chat completions API: an image and an instruction in, text out."""

import asyncio
import base64
from collections.abc import Callable
from typing import Protocol, cast
from urllib.parse import urlsplit

from openai import APIError, APIStatusError, AsyncOpenAI, Omit
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from memcubed.errors import ProviderError
from memcubed.providers.llm.dialect import AnswerFormat, Dialect
from memcubed.providers.llm.failures import provider_error, timeout_error


class VisionModel(Protocol):
    """Says what an image shows. Raises ProviderError when the endpoint or its answer is of no use."""

    @property
    def name(self) -> str:
        """The model's name, as the endpoint knows it."""
        ...

    async def describe(self, image: bytes, media_type: str, *, instructions: str) -> str:
        """Ask once. The image is data: `instructions` hold only what the service itself says."""
        ...

    async def close(self) -> None:
        """Give up connections; the model is not used afterwards."""
        ...


class OpenAIVision:
    """Implements VisionModel. `timeout` is in seconds and bounds one call; `max_concurrency` calls run at a time.

    `on_tokens` is told the model's name and the input and output tokens of each answer, 0 where the endpoint says none.
    The image goes along as a data URL: no endpoint is made to fetch what a user names.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str | None = None,
        timeout: float = 120.0,
        max_answer_tokens: int = 600,
        max_concurrency: int = 4,
        on_tokens: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.name = model
        self._on_tokens = on_tokens
        self._host = urlsplit(base_url).hostname or base_url
        self._timeout = timeout
        self._max_answer_tokens = max_answer_tokens
        self._slots = asyncio.Semaphore(max_concurrency)
        self._dialect = Dialect(answer_format=AnswerFormat.TEXT)
        self._client = AsyncOpenAI(
            base_url=base_url,
            # The library would take a missing key from the environment and send it to whatever host this is.
            api_key=api_key or "none",
            default_headers=cast("dict[str, str]", {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}),
            timeout=timeout,
            max_retries=0,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def describe(self, image: bytes, media_type: str, *, instructions: str) -> str:
        """Ask; what the endpoint does not take is learnt from its refusal, and left out."""
        encoded = await asyncio.to_thread(base64.b64encode, image)
        messages: list[ChatCompletionMessageParam] = [
            {"role": "system", "content": instructions},
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{encoded.decode()}"}},
                ],
            },
        ]
        while True:
            try:
                return self._read(await self._call(messages))
            except APIStatusError as error:
                learnt = self._dialect.after_refusal(error.status_code, error.response.text[:4000])
                if learnt is None:
                    raise self._error(error) from error
                self._dialect = learnt
            except APIError as error:
                raise self._error(error) from error
            except ValueError as error:  # a body that claims to be JSON and is not
                raise ProviderError(f"the vision model at {self._host} answered with broken JSON") from error

    async def _call(self, messages: list[ChatCompletionMessageParam]) -> object:
        parameters = self._dialect.parameters({}, "", self._max_answer_tokens, 0.0)
        async with self._slots:
            try:
                async with asyncio.timeout(self._timeout):
                    return await self._client.chat.completions.create(model=self.name, messages=messages, **parameters)
            except TimeoutError as error:
                raise timeout_error(self._host, self._timeout) from error

    def _error(self, error: APIError) -> ProviderError:
        return provider_error(error, host=self._host, model=self.name, timeout=self._timeout)

    def _read(self, completion: object) -> str:
        if self._on_tokens is not None:
            self._on_tokens(self.name, _count(completion, "prompt_tokens"), _count(completion, "completion_tokens"))
        choices = completion.choices if isinstance(completion, ChatCompletion) else None
        message = getattr(choices[0], "message", None) if choices else None
        if not choices or message is None:
            raise ProviderError(f"the vision model at {self._host} answered with something that is no chat completion")
        if getattr(message, "refusal", None) or choices[0].finish_reason == "content_filter":
            raise ProviderError(f"the vision model {self.name} at {self._host} refused to answer", retryable=False)
        content = message.content
        return content if isinstance(content, str) else ""


def _count(completion: object, field: str) -> int:
    value = getattr(getattr(completion, "usage", None), field, None)
    return value if isinstance(value, int) else 0
