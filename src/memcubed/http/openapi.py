"""The OpenAPI document, in which every failure is the envelope with a status that this service answers with."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel

_FAILURE: Final = "Failure"
_STATUSES: Final = {
    HTTPStatus.BAD_REQUEST: "A field is missing, empty or wrong; the message names it.",
    HTTPStatus.UNAUTHORIZED: "No API key, or one that is invalid, expired or revoked.",
    HTTPStatus.FORBIDDEN: "The key does not allow this.",
    HTTPStatus.NOT_FOUND: "What is asked for does not exist.",
    HTTPStatus.CONFLICT: "The request contradicts an earlier one, or needs what is not configured here.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body, or a part of it, is over a limit.",
    HTTPStatus.TOO_MANY_REQUESTS: "A limit of the project is used up; `Retry-After` says when to try again.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Internal error; the server's log has the details.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Something that this needs does not answer; try again.",
}


class Failure(BaseModel):
    """What every failure is answered with."""

    code: int
    """From the table of errors; never 0."""
    message: str
    """Which field or limit, and what would be right."""
    data: None


def install_openapi(app: FastAPI) -> None:
    """Make the app describe its failures as they are, in place of the framework's own."""
    generate = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_failures(generate)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # the way that FastAPI documents


def _with_failures(generate: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    document = generate()
    schemas = document["components"]["schemas"]
    schemas[_FAILURE] = Failure.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path in document["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            responses.pop("422", None)
            if "security" in operation:
                for status, meaning in _STATUSES.items():
                    responses.setdefault(str(status.value), _response(meaning))
    return document


def _response(meaning: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{_FAILURE}"}
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}
