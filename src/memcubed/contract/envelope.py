"""The envelope that every answer of the API comes in."""

from typing import Generic, TypeVar

from pydantic import BaseModel

T = TypeVar("T")


class Envelope(BaseModel, Generic[T]):
    """`code` 0 and the data, or an error code, a message for people and null."""

    code: int = 0
    message: str = "ok"
    data: T | None = None
