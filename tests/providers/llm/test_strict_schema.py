from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from memcubed.providers.llm.strict_schema import strict_schema, without_bounds


class Colour(StrEnum):
    RED = "red"


class Part(BaseModel):
    title: str = ""
    colour: Colour = Colour.RED


class Whole(BaseModel):
    parts: list[Part] = Field(default_factory=list, json_schema_extra={"maxItems": 3})
    pattern: str = Field(default="x", max_length=5)


def test_the_schema_has_the_strict_form() -> None:
    schema = strict_schema(Whole)
    part: dict[str, Any] = schema["properties"]["parts"]["items"]
    assert schema["required"] == ["parts", "pattern"]
    assert schema["additionalProperties"] is False
    assert part["required"] == ["title", "colour"]
    assert part["additionalProperties"] is False
    assert part["properties"]["colour"]["enum"] == ["red"]
    for absent in ("$ref", "$defs", "default"):
        assert absent not in str(schema)


def test_bounds_can_be_left_out_without_losing_fields_of_that_name() -> None:
    loose = without_bounds(strict_schema(Whole))
    assert "maxItems" not in str(loose)
    assert "maxLength" not in str(loose)
    assert list(loose["properties"]) == ["parts", "pattern"]
