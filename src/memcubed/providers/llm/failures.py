"""What went wrong at an endpoint, in words that name neither the key nor anything of the prompt."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

from memcubed.errors import ProviderError

_RETRYABLE = frozenset({408, 409, 425, 429})
# Endpoints put a short identifier there; anything longer may be a sentence that quotes the request.
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{1,59}")
_TOO_LONG = frozenset({400, 413, 422})
_CONTEXT_WORDS = re.compile(
    r"context[_ ](?:length|size|window)|exceed_context|maximum context|max_model_len|prompt is too long", re.IGNORECASE
)
_LONGEST_WAIT_SECONDS = 3600.0
_ADVICE = {
    400: "it refused the request",
    401: "check the API key",
    403: "the API key may not use it",
    413: "the request is too large for it",
    429: "too many requests, or no quota left",
}


def provider_error(error: APIError, *, host: str, model: str, timeout: float) -> ProviderError:
    """Build the ProviderError for what the client library raised."""
    if isinstance(error, APITimeoutError):
        return timeout_error(host, timeout)
    if isinstance(error, APIConnectionError):
        return ProviderError(f"the language model at {host} cannot be reached ({_cause(error)})")
    if isinstance(error, APIStatusError):
        return _status_error(error, host, model)
    return ProviderError(f"the language model at {host} answered with something that is no chat completion")


def is_too_long(status: int, body: str) -> bool:
    """Whether an endpoint refused because the question does not fit the model's context."""
    return status in _TOO_LONG and _CONTEXT_WORDS.search(body) is not None


def timeout_error(host: str, timeout: float) -> ProviderError:
    """Build the ProviderError for an endpoint that took too long."""
    return ProviderError(f"the language model at {host} did not answer within {timeout:g} s")


def retry_after_seconds(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """How long the endpoint asks to wait (RFC 9110 section 10.2.3: seconds or a date), at most an hour."""
    asked = headers.get("retry-after")
    if not asked:
        return None
    try:
        seconds = float(asked)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(asked).timestamp() - (time.time() if now is None else now)
        except ValueError:
            return None
    if seconds != seconds:  # noqa: PLR0124 - "nan" parses as a float
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS)


def _status_error(error: APIStatusError, host: str, model: str) -> ProviderError:
    status = error.status_code
    code = next((text for text in (error.code, error.type) if text and _IDENTIFIER.fullmatch(str(text))), None)
    said = f"{status} {code}" if code else str(status)
    advice = _ADVICE.get(status)
    if status == HTTPStatus.NOT_FOUND:
        advice = f"check the base URL and that it serves the model {model}"
    retryable = status in _RETRYABLE or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return ProviderError(
        f"the language model at {host} answered {said}" + (f": {advice}" if advice else ""),
        retryable=retryable,
        retry_after=retry_after_seconds(error.response.headers) if retryable else None,
    )


def _cause(error: APIConnectionError) -> str:
    # The class says what happened (ConnectError, ReadError); the text of the error may hold the URL with a key in it.
    return type(error.__cause__ or error).__name__
