"""Values of columns as JSON, and back."""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pgvector import HalfVector
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import Column, DateTime, LargeBinary, Uuid

Rename = Callable[[str], str]
"""The id that takes the place of another, or the same."""


def to_json(value: object) -> object:
    """A value as the database gives it, as JSON can hold it."""
    match value:
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case HalfVector():
            return [round(float(number), 6) for number in value.to_list()]
        case _:
            return value


def from_json(column: Column[Any], value: Any) -> object:  # noqa: ANN401 - any JSON value
    """The inverse of `to_json`. Raises ValueError or TypeError when the column can't hold it."""
    if value is None:
        return None
    try:
        match column.type:
            case Uuid():
                return UUID(value)
            case DateTime():
                return datetime.fromisoformat(value)
            case LargeBinary():
                return base64.b64decode(value, validate=True)
            case HALFVEC():
                return HalfVector(value)
            case _:
                return value
    except (AttributeError, binascii.Error) as error:
        raise ValueError(str(error)) from error


def renamed(value: object, rename: Rename) -> object:
    """A JSON value in which every string that is an id with a new one has the new one."""
    match value:
        case str():
            return rename(value)
        case list():
            return [renamed(item, rename) for item in value]
        case Mapping():
            return {key: renamed(item, rename) for key, item in value.items()}
        case _:
            return value
