"""The form of the extracting model's answer."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from memcubed.memories.model import MemoryKind

# The bounds are in the schema, where they keep a small model from running on, but they are not checked: a value that is
# a little too long is worth more than another call.
MAX_MEMORIES = 12
MAX_KEY = 60
MAX_VALUE = 300
MAX_REASONING = 240
MAX_TAGS = 4
MAX_TAG = 24
MAX_SOURCES = 8

# STATED_KINDS, as a type
ExtractedKind = Literal[MemoryKind.FACT, MemoryKind.EXPLICIT_PREFERENCE, MemoryKind.IMPLICIT_PREFERENCE]

_KINDS = {
    "facts": MemoryKind.FACT,
    "preference": MemoryKind.EXPLICIT_PREFERENCE,
    "explicit": MemoryKind.EXPLICIT_PREFERENCE,
    "implicit": MemoryKind.IMPLICIT_PREFERENCE,
}


def _text(value: object) -> object:
    return "" if value is None else str(value) if isinstance(value, int | float) else value


def _texts(value: object) -> object:
    """Take a single string for a list of one, and leave out what is no text."""
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value if isinstance(item, str | int)] if isinstance(value, list) else value


def _kind(value: object) -> object:
    if value is None:
        return MemoryKind.FACT
    return _KINDS.get(value.strip().lower(), value.strip().lower()) if isinstance(value, str) else value


def _text_field(length: int, **more: Any) -> Any:  # noqa: ANN401 - a pydantic field is typed as its value
    return Field(json_schema_extra={"maxLength": length}, **more)


def _list_field(items: int, length: int) -> Any:  # noqa: ANN401 - same
    return Field(
        default_factory=list,
        json_schema_extra={"maxItems": items, "items": {"type": "string", "maxLength": length}},
    )


_Text = Annotated[str, BeforeValidator(_text)]
_Texts = Annotated[list[str], BeforeValidator(_texts)]


class ProposedMemory(BaseModel):
    """One memory as the model proposes it. Evidence comes first, so that what is stated follows from it."""

    sources: _Texts = _list_field(MAX_SOURCES, 8)
    kind: Annotated[ExtractedKind, BeforeValidator(_kind)] = MemoryKind.FACT
    key: _Text = _text_field(MAX_KEY, default="")
    value: _Text = _text_field(MAX_VALUE)
    reasoning: _Text = _text_field(MAX_REASONING, default="")
    tags: _Texts = _list_field(MAX_TAGS, MAX_TAG)
    time: _Text = _text_field(10, default="")


def _wrapped(value: object) -> object:
    """Take the bare list that models answer without a schema; null for nothing."""
    return [] if value is None else value


class ExtractedMemories(BaseModel):
    """The whole answer."""

    memories: Annotated[list[ProposedMemory], BeforeValidator(_wrapped)] = Field(
        json_schema_extra={"maxItems": MAX_MEMORIES}
    )
