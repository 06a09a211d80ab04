"""The two bodies of add/knowledgebase-file: JSON, and a form."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from memcubed.contract.request import check_id
from memcubed.errors import InvalidRequestError, MissingFieldError
from memcubed.knowledge.model import FileType, Upload
from memcubed.knowledge.schemas import AddFilesRequest, check_base_id, check_type
from memcubed.knowledge.uploads import UploadLimits, uploads_of_form, uploads_of_json

_FORM: Final = "multipart/form-data"
_MOST_PARTS: Final = 1000


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without references, which would lead nowhere in a document that does not list what they name."""
    definitions = schema.pop("$defs", {})

    def resolve(part: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(part, list):
            return [resolve(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            named = definitions[str(part["$ref"]).rpartition("/")[2]]
            part = {**named, **{key: value for key, value in part.items() if key != "$ref"}}
        return {key: resolve(value) for key, value in part.items()}

    inlined: dict[str, Any] = resolve(schema)
    return inlined


OPENAPI_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {"schema": _inlined(AddFilesRequest.model_json_schema())},
        _FORM: {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
            }
        },
    },
}
"""What the route takes, as the OpenAPI document describes it."""


@dataclass(frozen=True, slots=True)
class Uploads:
    """What a request asks for."""

    base_id: str
    files: list[Upload]


@asynccontextmanager
async def uploads_of(request: Request, limits: UploadLimits) -> AsyncIterator[Uploads]:
    """The files of a request of either form; they can be read until the end of the block."""
    if request.headers.get("content-type", "").lower().startswith(_FORM):
        async with request.form(max_files=_MOST_PARTS, max_fields=_MOST_PARTS) as form:
            given = {**dict(form.items()), **dict(request.query_params)}
            base_id = str(_text(given, "knowledgebase_id"))
            kind = check_type(given.get("type") or FileType.DOCUMENT, "type")
            files = [part for part in form.getlist("file") if isinstance(part, UploadFile)]
            yield Uploads(base_id, await asyncio.to_thread(uploads_of_form, files, kind, limits))
    else:
        yield await asyncio.to_thread(_of_json, await request.body(), limits)


def _of_json(body: bytes, limits: UploadLimits) -> Uploads:
    try:
        value = json.loads(body)
    except ValueError as error:
        detail = (
            error.msg
            if isinstance(error, json.JSONDecodeError)
            else "it is not UTF-8, or has a number that is too long"
        )
        raise InvalidRequestError(f"The body is not valid JSON: {detail}.") from error
    try:
        request = AddFilesRequest.model_validate(value)
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from error
    del value
    return Uploads(request.knowledgebase_id, uploads_of_json(request.file, limits))


def _text(given: dict[str, Any], name: str) -> object:
    if not given.get(name):
        raise MissingFieldError(f"{name} is required, in the query of the URL.")
    return check_base_id(check_id(given[name], name))
