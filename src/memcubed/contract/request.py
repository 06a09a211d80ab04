"""What every request body has in common: unknown fields are ignored, null means absent, text is storable."""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from memcubed.errors import (
    ConversationIdTooLongError,
    EmptyListError,
    InvalidRelativityError,
    InvalidRequestError,
    MissingFieldError,
    RequestTooLargeError,
    UserIdTooLongError,
)
from memcubed.language.redaction import redact, redact_file_name, redacting

MAX_ID_CHARACTERS: Final = 100
MAX_REDACTED_CHARACTERS: Final = 1_000_000
"""Of a body: more than the default limits of tokens let through, and not so much that other requests wait for long."""

_MAX_DEPTH: Final = 50
_LEAST_LONG_NUMBER: Final = 10**10  # what is shorter is no number of a phone or a card

# What names something rather than says it, and files, whose text is redacted when they have been read.
_NOT_REDACTED: Final = re.compile(
    r"(?:\w*_ids?|filter|role|type|status|\w*_time|model|model_name|timezone)(?:[.\[].*|$)"
    r"|(?:messages|bind_list)(?:\[\d+\])?\.(?:\w*_ids?|\w*_time|role|role_name)$"
    r"|messages(?:\[\d+\])?\.tool_calls(?:\[\d+\])?\.(?:id|type)$"
    r"|messages(?:\[\d+\])?\.content(?:\[\d+\])?\.(?:type|image_url|image_url\.url|file\.file_data)$"
    r"|info\.\w*_ids?(?:\[\d+\])?$"
    r"|file(?:\[\d+\])?\.(?:content|name|type)$",  # the name is redacted where it is known to be one
    re.DOTALL,
)
_FILE_NAME: Final = re.compile(r"\.file\.(?:filename|file_name|name)$")


class RequestModel(BaseModel):
    """The base of request bodies. Validators raise the contract's errors, which name the field."""

    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _clean(cls, body: object) -> object:
        return clean(body) if isinstance(body, dict) else body


@dataclass(slots=True)
class _Room:
    """How many characters of a body may still be redacted."""

    characters: int = MAX_REDACTED_CHARACTERS


def clean(value: object, path: str = "", depth: int = 0, room: _Room | None = None) -> object:
    """The value without nulls in its objects; refuses text and numbers that can't be stored."""
    room = room or _Room()
    if depth > _MAX_DEPTH:
        raise InvalidRequestError(f"{path} is nested more than {_MAX_DEPTH} levels deep.")
    match value:
        case str():
            _check_text(value, path)
            return _redacted(value, path, room) if redacting.get() else value
        case float() if not math.isfinite(value):
            raise InvalidRequestError(f"{path} must be a finite number.")
        case int() if value >= _LEAST_LONG_NUMBER and redacting.get():
            text = str(value)
            redacted = _redacted(text, path, room)
            return value if redacted == text else redacted
        case dict():
            for key in value:
                _check_text(str(key), f"a field name in {path or 'the body'}")
            return {
                key: clean(item, f"{path}.{key}" if path else str(key), depth + 1, room)
                for key, item in value.items()
                if item is not None
            }
        case list():
            return [clean(item, f"{path}[{index}]", depth + 1, room) for index, item in enumerate(value)]
        case _:
            pass
    return value


def _redacted(text: str, path: str, room: _Room) -> str:
    if _NOT_REDACTED.match(path):
        return text
    room.characters -= len(text)
    if room.characters < 0:
        raise RequestTooLargeError(
            f"The body has more than {MAX_REDACTED_CHARACTERS} characters of text, the most where texts are redacted."
        )
    return redact_file_name(text) if _FILE_NAME.search(path) else redact(text)


def _check_text(text: str, path: str) -> None:
    if "\x00" in text:
        raise InvalidRequestError(f"{path} contains a NUL character (\\u0000), which can't be stored; remove it.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidRequestError(
                f"{path} contains half of a surrogate pair ({text[error.start]!a}), which is not valid text."
            ) from error


def check_id(value: object, field: str) -> str:
    """A user, agent or app id."""
    if not isinstance(value, str):
        raise InvalidRequestError(f"{field} must be a string.")
    if not value.strip():
        raise MissingFieldError(f"{field} must not be empty.")
    if len(value) > MAX_ID_CHARACTERS:
        raise UserIdTooLongError(f"{field} must be at most {MAX_ID_CHARACTERS} characters; it has {len(value)}.")
    return value


def require_owner(user_id: object, agent_id: object) -> None:
    """Whose memories they are has to be said, by one of the two or by both."""
    if user_id is None and agent_id is None:
        raise MissingFieldError("user_id is required (or agent_id).")


def check_ids(value: object, field: str, *, most: int) -> str | list[str]:
    """One id, or a list of them."""
    if not isinstance(value, list):
        return check_id(value, field)
    if not value:
        raise EmptyListError(f"{field} must not be an empty list.")
    if len(value) > most:
        raise InvalidRequestError(f"{field} takes at most {most} ids; it has {len(value)}.")
    return list(dict.fromkeys(check_id(item, f"{field}[{index}]") for index, item in enumerate(value)))


def _check_conversation_id(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise MissingFieldError("conversation_id must not be empty.")
    if isinstance(value, str) and len(value) > MAX_ID_CHARACTERS:
        raise ConversationIdTooLongError(
            f"conversation_id must be at most {MAX_ID_CHARACTERS} characters; it has {len(value)}."
        )
    return value


def _check_relativity(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidRelativityError("relativity must be a number from 0 to 1.")
    return value


def _unless_empty(value: Any) -> Any:  # noqa: ANN401 - any JSON value passes through
    return None if isinstance(value, str) and not value.strip() else value


def _whole(value: object) -> object:
    """6.0 is an integer in JSON, and some clients have no other numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def documented(**schema: JsonValue) -> Any:  # noqa: ANN401 - as Field itself says
    """What the OpenAPI document says of a value beside its type.

    Validators check it, with the contract's codes, before Pydantic would with none.
    """
    return Field(json_schema_extra=schema)


_ID: Final = documented(maxLength=MAX_ID_CHARACTERS, pattern=r"\S")

Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, BeforeValidator(_whole), Field(strict=True)]
UserId = Annotated[str, BeforeValidator(lambda value: check_id(value, "user_id")), _ID]
AgentId = Annotated[str, BeforeValidator(lambda value: check_id(value, "agent_id")), _ID]
AppId = Annotated[str, BeforeValidator(lambda value: check_id(value, "app_id")), _ID]
ConversationId = Annotated[str, BeforeValidator(_check_conversation_id), _ID]
OptionalConversationId = Annotated[str | None, BeforeValidator(_check_conversation_id), BeforeValidator(_unless_empty)]
Relativity = Annotated[float, BeforeValidator(_check_relativity), documented(minimum=0, maximum=1)]
Text = Annotated[str, documented(pattern=r"\S")]
"""Not empty, and not of spaces alone; the field's own validator says so."""
