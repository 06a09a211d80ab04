"""The OpenAI library's client, for endpoints of any make."""

from typing import cast

from openai import AsyncOpenAI, Omit


def open_client(base_url: str, api_key: str | None, *, timeout: float, retries: int = 0) -> AsyncOpenAI:
    """A client that sends the endpoint what it was given for it, and nothing else. `timeout` is in seconds."""
    return AsyncOpenAI(
        base_url=base_url,
        # The library would take a missing key from the environment and send it to whatever host this is.
        api_key=api_key or "none",
        default_headers=cast("dict[str, str]", {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}),
        timeout=timeout,
        max_retries=retries,
    )
