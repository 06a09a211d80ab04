"""Every failure, whoever raised it, in the contract's envelope."""

import re
import sys
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memcubed.errors import (
    InvalidRequestError,
    MemcubedError,
    MethodNotAllowedError,
    MissingFieldError,
    NotFoundError,
    RateLimitedError,
    ServiceUnavailableError,
)
from memcubed.store.refused import DATABASE_ERRORS, refused
from memcubed.store.session import UNAVAILABLE_ERRORS

log = structlog.get_logger(__name__)

_WANTED: Final = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "date_type": "a date such as 2025-06-30",
    "date_parsing": "a date such as 2025-06-30",
    "date_from_datetime_parsing": "a date such as 2025-06-30",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "literal_error": "one of {expected}",
    "enum": "one of {expected}",
}
"""What Pydantic's kinds of errors ask for, in words for users of the API."""

_MEMBER: Final = re.compile(r"<[\w.]+: ('[^']*')>")
"""How Pydantic writes a member of an enumeration."""


def install_failures(app: FastAPI) -> None:
    """Make the app answer every failure with the envelope and a real HTTP status."""
    app.add_exception_handler(MemcubedError, _on_own_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RecursionError, _on_recursion)
    for error in UNAVAILABLE_ERRORS:
        app.add_exception_handler(error, _on_unavailable)


def failure(error: MemcubedError) -> JSONResponse:
    """The answer for an error."""
    headers = {"WWW-Authenticate": "Token"} if error.status is HTTPStatus.UNAUTHORIZED else {}
    if isinstance(error, RateLimitedError | ServiceUnavailableError):
        headers["Retry-After"] = str(error.retry_after)
    return JSONResponse(
        {"code": error.code, "message": error.message, "data": None}, status_code=error.status, headers=headers
    )


async def _on_own_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, MemcubedError):
        raise error
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_failed", code=error.code, reason=error.message)
    return failure(error)


async def _on_invalid_request(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    return failure(invalid_request(error.errors()[0]))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if isinstance(error.__cause__, MemcubedError):  # FastAPI wraps what goes wrong while it reads a body
        return failure(error.__cause__)
    if isinstance(error.__cause__, RecursionError):
        return await _on_recursion(request, error.__cause__)
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return failure(NotFoundError(f"There is no route {request.method} {request.url.path[:200]}."))
        case HTTPStatus.METHOD_NOT_ALLOWED:
            response = failure(MethodNotAllowedError(f"{request.url.path} does not take {request.method}."))
            response.headers.update(error.headers or {})
            return response
        case _:
            return failure(InvalidRequestError(f"The request can't be read: {error.detail}"))


async def _on_recursion(_: Request, error: Exception) -> Response:
    del error
    return failure(InvalidRequestError("The body is nested too deeply."))


async def _on_unavailable(_: Request, error: Exception) -> Response:
    log.error("database_unavailable", error=type(error).__name__, reason=str(error).splitlines()[0][:300])
    return failure(ServiceUnavailableError("The database does not answer at the moment; try again."))


class Unexpected:
    """ASGI middleware: what nobody thought of is logged with its trace, and answered without it.

    In place of Starlette's own, whose answer would pass by the other middlewares and lack the request's id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 500, unless the answer had begun; then the connection breaks off, so that it can't pass for whole."""
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:  # the edge of a request
            if scope["type"] != "http" or has_begun:
                raise
            log.exception("request_failed", code=MemcubedError.code)
            await failure(MemcubedError("Internal error; the server's log has the details."))(scope, receive, send)


class PlainStart:
    """ASGI middleware: what keeps the service from starting is told without a trace if it is ours or the database's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on all but the words of a failed start."""

        async def plain(message: Message) -> None:
            error = sys.exc_info()[1]  # Starlette sends a failure while it handles it
            if isinstance(error, DATABASE_ERRORS):
                error = refused(error)
            if message["type"] == "lifespan.startup.failed" and isinstance(error, MemcubedError):
                message["message"] = f"The service can't start: {error.message}"
            await send(message)

        await self._app(scope, receive, plain if scope["type"] == "lifespan" else send)


def invalid_request(error: Mapping[str, Any]) -> InvalidRequestError:
    """What one of Pydantic's errors is in the contract's terms."""
    kind = str(error["type"])
    where = (
        error["loc"][1:] if error["loc"] and error["loc"][0] in {"body", "header", "query", "path"} else error["loc"]
    )
    field = _path(where)
    if kind == "json_invalid":
        detail = error.get("ctx", {}).get("error", "")
        return InvalidRequestError(f"The body is not valid JSON: {detail}.")
    if kind == "missing":
        return MissingFieldError(f"{field} is required." if field else "The body is missing; send a JSON object.")
    if not field:
        return InvalidRequestError("The body must be a JSON object, sent with Content-Type: application/json.")
    if kind in _WANTED:
        context = dict(error.get("ctx", {}))
        if "expected" in context:
            context["expected"] = _MEMBER.sub(r"\1", str(context["expected"])).replace("'", "").replace(" or ", ", ")
        return InvalidRequestError(f"{field} must be {_WANTED[kind].format(**context)}.")
    message = str(error["msg"]).removeprefix("Input ").removeprefix("Value error, ")
    return InvalidRequestError(f"{field}: {message}.")


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier() or ("-" in part and not path):  # a header; further in, Pydantic's name of a type
            path += f".{part}" if path else part
    return path
