"""Vision models behind OpenAI's chat completions API: an image and an instruction in, text out."""

import asyncio
import base64
from dataclasses import dataclass, field
from typing import Protocol

from openai import APIError, APIStatusError
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from memcubed.errors import ProviderError
from memcubed.providers.llm.dialect import AnswerFormat, Dialect
from memcubed.providers.llm.endpoint import ChatEndpoint, count_tokens
from memcubed.providers.llm.protocol import Credit, uncredited


@dataclass(frozen=True, slots=True)
class Description:
    """What an image shows, and what it cost to say so. Who makes memories of it says so once, by `credit`."""

    text: str
    input_tokens: int = 0
    output_tokens: int = 0
    credit: Credit = field(default=uncredited, compare=False, repr=False)


class VisionModel(Protocol):
    """Says what an image shows. Raises ProviderError when the endpoint or its answer is of no use."""

    @property
    def name(self) -> str:
        """The model's name, as the endpoint knows it."""
        ...

    async def describe(self, image: bytes, media_type: str, *, instructions: str) -> Description:
        """Ask once. The image is data: `instructions` hold only what the service itself says."""
        ...

    async def close(self) -> None:
        """Give up connections; the model is not used afterwards."""
        ...


class OpenAIVision:
    """Implements VisionModel. `timeout` is in seconds and bounds one call.

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
    ) -> None:
        self.name = model
        self._endpoint = ChatEndpoint(base_url=base_url, model=model, api_key=api_key, timeout=timeout)
        self._max_answer_tokens = max_answer_tokens
        self._dialect = Dialect(answer_format=AnswerFormat.TEXT)

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    async def describe(self, image: bytes, media_type: str, *, instructions: str) -> Description:
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
            parameters = self._dialect.parameters({}, "", self._max_answer_tokens, 0.0)
            try:
                return self._read(await self._endpoint.call(messages, parameters))
            except APIStatusError as error:
                learnt = self._dialect.after_refusal(error.status_code, error.response.text[:4000])
                if learnt is None:
                    raise self._endpoint.error(error) from error
                self._dialect = learnt
            except APIError as error:
                raise self._endpoint.error(error) from error
            except ValueError as error:  # a body that claims to be JSON and is not
                raise ProviderError(f"the vision model at {self._endpoint.host} answered with broken JSON") from error

    def _read(self, completion: object) -> Description:
        host = self._endpoint.host
        choices = completion.choices if isinstance(completion, ChatCompletion) else None
        message = getattr(choices[0], "message", None) if choices else None
        if not choices or message is None:
            raise ProviderError(f"the vision model at {host} answered with something that is no chat completion")
        asked, said = count_tokens(completion)
        if getattr(message, "refusal", None) or choices[0].finish_reason == "content_filter":
            refused = ProviderError(f"the vision model {self.name} at {host} refused to answer", retryable=False)
            refused.input_tokens, refused.output_tokens = asked, said
            raise refused
        content = message.content
        return Description(content if isinstance(content, str) else "", asked, said)
