"""What went wrong at an embeddings endpoint, in words that name neither the key nor anything of the texts."""

from http import HTTPStatus

from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

from memcubed.errors import ProviderError
from memcubed.providers.llm.failures import retry_after_seconds

_RETRYABLE = frozenset({408, 409, 425, 429})
_ADVICE = {
    400: "it refused the request; check the model, the dimensions and the text limit",
    401: "check the API key",
    403: "the API key may not use it",
    413: "the request is too large for it",
    429: "too many requests, or no quota left",
}


def provider_error(error: APIError, *, host: str, model: str, timeout: float) -> ProviderError:
    """Build the ProviderError for what the client library raised. The body of an answer is never quoted."""
    if isinstance(error, APITimeoutError):
        return timeout_error(host, timeout)
    if isinstance(error, APIConnectionError):
        cause = type(error.__cause__ or error).__name__
        return ProviderError(f"the embeddings endpoint at {host} cannot be reached ({cause})")
    if isinstance(error, APIStatusError):
        return _status_error(error, host, model)
    return unusable_answer(host, "with something that holds no embeddings")


def timeout_error(host: str, timeout: float) -> ProviderError:
    """Build the ProviderError for an endpoint that took too long."""
    return ProviderError(f"the embeddings endpoint at {host} did not answer within {timeout:g} s")


def unusable_answer(host: str, how: str, *, lasting: bool = False) -> ProviderError:
    """Build the ProviderError for an answer that can't be used: `lasting` when another one would be the same.

    One that is broken may have been cut off on its way, so it is worth another try.
    """
    return ProviderError(f"the embeddings endpoint at {host} answered {how}", retryable=not lasting)


def _status_error(error: APIStatusError, host: str, model: str) -> ProviderError:
    status = error.status_code
    advice = _ADVICE.get(status)
    if status == HTTPStatus.NOT_FOUND:
        advice = f"check the base URL and that it serves the model {model}"
    retryable = status in _RETRYABLE or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return ProviderError(
        f"the embeddings endpoint at {host} answered {status}" + (f": {advice}" if advice else ""),
        retryable=retryable,
        retry_after=retry_after_seconds(error.response.headers) if retryable else None,
    )
