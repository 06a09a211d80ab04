"""What went wrong at a rerank endpoint, in words that name neither the key nor anything of the texts."""

from http import HTTPStatus

import httpx

from memcubed.errors import ProviderError
from memcubed.providers.llm.failures import retry_after_seconds

_RETRYABLE = frozenset({408, 409, 425, 429})
_ADVICE = {
    400: "it refused the request; check the model",
    401: "check the API key",
    403: "the API key may not use it",
    404: "check the base URL, to which /rerank is added, and the model",
    413: "the request is too large for it",
    429: "too many requests, or no quota left",
}


def status_error(response: httpx.Response, host: str) -> ProviderError:
    """Build the ProviderError for an answer that is no success. Its body is never quoted."""
    status = response.status_code
    advice = _ADVICE.get(status)
    retryable = status in _RETRYABLE or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return ProviderError(
        f"the rerank endpoint at {host} answered {status}" + (f": {advice}" if advice else ""),
        retryable=retryable,
        retry_after=retry_after_seconds(response.headers) if retryable else None,
    )


def unreachable(error: Exception, host: str) -> ProviderError:
    """Build the ProviderError for an endpoint that gave no answer."""
    # The class says what happened (ConnectError, ReadError); the text of the error may hold the URL with a key in it.
    return ProviderError(f"the rerank endpoint at {host} cannot be reached ({type(error).__name__})")


def timeout_error(host: str, timeout: float) -> ProviderError:
    """Build the ProviderError for an endpoint that took too long."""
    return ProviderError(f"the rerank endpoint at {host} did not answer within {timeout:g} s")


def unusable_answer(host: str, how: str) -> ProviderError:
    """Build the ProviderError for an answer that stays unusable however often it is asked for."""
    return ProviderError(f"the rerank endpoint at {host} answered {how}", retryable=False)
