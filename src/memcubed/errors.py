"""Every error that memcubed raises on purpose; each knows its contract code and its HTTP status.

The codes are those of the hosted MemOS platform, so that its clients understand them.
"""

from http import HTTPStatus
from typing import ClassVar


class MemcubedError(Exception):
    """The root. `message` is written for the person who made the call."""

    code: ClassVar[int] = 50000
    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigurationError(MemcubedError):
    """The operator has to change a setting or the environment; raised at start, never by a request."""


class InvalidRequestError(MemcubedError):
    """A parameter has the wrong name, type, value or structure."""

    code = 40000
    status = HTTPStatus.BAD_REQUEST


class MissingFieldError(InvalidRequestError):
    """A required field is missing or empty."""

    code = 40002


class EmptyListError(InvalidRequestError):
    """A list or object that needs at least one entry has none."""

    code = 40003


class UnsupportedTypeError(InvalidRequestError):
    """A value is of a type that this service does not take."""

    code = 40006


class UnsupportedFileTypeError(InvalidRequestError):
    """A file is of a type that this service does not read."""

    code = 40007


class Base64CharactersError(InvalidRequestError):
    """What should be base64 has characters that base64 does not have."""

    code = 40008


class MalformedBase64Error(InvalidRequestError):
    """What should be base64, or a data URL, is cut or not put together right."""

    code = 40009


class UserIdTooLongError(InvalidRequestError):
    """A user or agent id is longer than the limit."""

    code = 40010


class ConversationIdTooLongError(InvalidRequestError):
    """A conversation id is longer than the limit."""

    code = 40011


class InvalidRelativityError(InvalidRequestError):
    """`relativity` is not a number from 0 to 1."""

    code = 40012


class NotFoundError(MemcubedError):
    """The requested data, or route, does not exist."""

    code = 40001
    status = HTTPStatus.NOT_FOUND


class MemoryNotFoundError(NotFoundError):
    """No such memory in this project, for who wants to change or delete it."""

    code = 40307


class OwnerNotFoundError(NotFoundError):
    """No such user, or agent, in this project, for who wants to delete them."""

    code = 40308


class TaskNotFoundError(NotFoundError):
    """No such task in this project."""

    code = 50131


class KnowledgeBaseNotFoundError(NotFoundError):
    """No such knowledge base that this project has, or that is linked to it."""

    code = 50120


class MethodNotAllowedError(InvalidRequestError):
    """The route exists, but not for this HTTP method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class ConflictError(InvalidRequestError):
    """The request contradicts an earlier one, such as an idempotency key used for another body."""

    status = HTTPStatus.CONFLICT


class NotConfiguredError(InvalidRequestError):
    """The request needs what this installation is not configured with; it will be refused until that changes."""

    status = HTTPStatus.CONFLICT


class MissingKeyError(MemcubedError):
    """The request carries no API key."""

    code = 40130
    status = HTTPStatus.UNAUTHORIZED


class InvalidKeyError(MemcubedError):
    """The API key is unknown, expired or revoked."""

    code = 40132
    status = HTTPStatus.UNAUTHORIZED


class NotAllowedError(MemcubedError):
    """The key's scopes do not cover the call, or what it is about is not to be deleted so."""

    code = 40306
    status = HTTPStatus.FORBIDDEN


class KnowledgeBaseNotLinkedError(NotAllowedError):
    """The knowledge base is another project's: linked for reading, and not to be changed from here."""

    code = 50123


class RateLimitedError(MemcubedError):
    """Too many calls, or too much input, in too short a time; `retry_after` is how many seconds to wait."""

    code = 40309
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BudgetSpentError(RateLimitedError):
    """The project's budget of model tokens for the day is spent; `retry_after` is how many seconds are left of it."""

    code = 40304


class RequestTooLargeError(MemcubedError):
    """The request as a whole is over a limit."""

    code = 40301
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class InputTooLongError(RequestTooLargeError):
    """One input is over the token limit."""

    code = 40305


class TooManyFilesError(RequestTooLargeError):
    """More files in one request than the limit."""

    code = 50103


class FileTooLargeError(RequestTooLargeError):
    """One file is over the size limit."""

    code = 50104


class FilesTooLargeError(RequestTooLargeError):
    """The files of one request together are over the size limit."""

    code = 50105


class FileFormatError(InvalidRequestError):
    """A file is not what its type says, or can't be read."""

    code = 50107


class DocumentError(FileFormatError):
    """A document can't be read; the message says why, for the person who sent it."""


class FetchError(MemcubedError):
    """A URL that a user gave could not be fetched, or may not be.

    `retryable` is False when another try would end the same way.
    """

    status = HTTPStatus.BAD_REQUEST
    code = 40000

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class ServiceUnavailableError(MemcubedError):
    """The database, or something else this request needs, does not answer; trying again later can succeed.

    `retry_after` is in how many seconds.
    """

    code = 50004
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SearchUnavailableError(ServiceUnavailableError):
    """What a search or a reranking needs does not answer; trying again later can succeed."""

    code = 50005


class ProviderError(MemcubedError):
    """A model endpoint failed.

    `retryable` is False when the same call would fail the same way (bad key, unknown model, refused request).
    `retry_after` is how many seconds the endpoint asked to wait before the next try, when it said so.
    `calls`, `input_tokens` and `output_tokens` are what was used all the same.
    """

    calls = 1
    input_tokens = 0
    output_tokens = 0

    def __init__(self, message: str, *, retryable: bool = True, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after
