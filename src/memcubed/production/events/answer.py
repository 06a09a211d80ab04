"""The form of the model's answer about events."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field


def _text(value: object) -> object:
    return "" if value is None else str(value) if isinstance(value, int | float) else value


def _texts(value: object) -> object:
    """Take a single string for a list of one, and leave out what is no text."""
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value if isinstance(item, str | int)] if isinstance(value, list) else value


def _listed(value: object) -> object:
    return [] if value is None else value


def _list_field(items: int, length: int) -> Any:  # noqa: ANN401 - a pydantic field is typed as its value
    return Field(
        default_factory=list,
        json_schema_extra={"maxItems": items, "items": {"type": "string", "maxLength": length}},
    )


_Text = Annotated[str, BeforeValidator(_text)]
_Texts = Annotated[list[str], BeforeValidator(_texts)]


class ProposedEvent(BaseModel):
    """One event as the model proposes it."""

    sources: _Texts = _list_field(8, 8)
    title: _Text = Field(default="", json_schema_extra={"maxLength": 60})
    event: _Text = Field(json_schema_extra={"maxLength": 300})
    time: _Texts = _list_field(4, 24)
    location: _Texts = _list_field(4, 60)
    roles: _Texts = _list_field(8, 60)


class ExtractedEvents(BaseModel):
    """The whole answer."""

    events: Annotated[list[ProposedEvent], BeforeValidator(_listed)] = Field(json_schema_extra={"maxItems": 8})
