"""A model behind OpenAI's chat completions API: one call in time, and what it cost."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

from openai import APIError
from openai.types.chat import ChatCompletionMessageParam

from memcubed.errors import ProviderError
from memcubed.providers.llm.failures import provider_error, timeout_error
from memcubed.providers.openai_client import open_client


class ChatEndpoint:
    """Where a model is served. `timeout` is in seconds and bounds a call as a whole."""

    def __init__(self, *, base_url: str, model: str, api_key: str | None, timeout: float) -> None:
        self.model = model
        self.host = urlsplit(base_url).hostname or base_url
        self.timeout = timeout
        self.client = open_client(base_url, api_key, timeout=timeout)

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()

    async def call(
        self, messages: list[ChatCompletionMessageParam], parameters: dict[str, Any], *, model: str | None = None
    ) -> Any:  # noqa: ANN401 - the library does not check what it parses
        """Make one call. Raises ProviderError when it takes too long, the library's APIError for other failures."""
        try:
            # the library's own timeout is for each read, which a server that drips bytes never reaches
            async with asyncio.timeout(self.timeout):
                return await self.client.chat.completions.create(
                    model=model or self.model, messages=messages, **parameters
                )
        except TimeoutError as error:
            raise timeout_error(self.host, self.timeout) from error

    def error(self, error: APIError) -> ProviderError:
        """What the library raised, as the service tells it."""
        return provider_error(error, host=self.host, model=self.model, timeout=self.timeout)


def count_tokens(completion: object) -> tuple[int, int]:
    """The input and output tokens of an answer; 0 where the endpoint does not say."""
    usage = getattr(completion, "usage", None)
    asked, said = (getattr(usage, field, None) for field in ("prompt_tokens", "completion_tokens"))
    return asked if isinstance(asked, int) else 0, said if isinstance(said, int) else 0
