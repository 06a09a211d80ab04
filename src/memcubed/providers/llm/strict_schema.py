"""The JSON schema of an answer, in the dialect that endpoints take for structured output."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

JsonSchema = dict[str, Any]

# Some endpoints refuse a strict schema that bounds lengths (OpenAI's older models name maxLength and maxItems).
_BOUNDS = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "pattern", "format"})
# Left out: endpoints do not need them, and strict mode refuses defaults.
_NOISE = frozenset({"title", "default", "$defs"})


def strict_schema(answer: type[BaseModel]) -> JsonSchema:
    """Return the schema of `answer` with references inlined, every property required and none beyond them allowed.

    That is the form strict structured output asks for: https://platform.openai.com/docs/guides/structured-outputs
    Recursive models are not supported.
    """
    schema = answer.model_json_schema()
    inlined = _tighten(schema, schema.get("$defs", {}))
    if not isinstance(inlined, dict):  # pragma: no cover - a model's schema is always an object
        raise TypeError("the schema of a model is an object")
    return inlined


def without_bounds(schema: JsonSchema) -> JsonSchema:
    """Return the same schema without limits of length and range, for endpoints that refuse those."""
    return {key: _unbounded(value, inside_properties=key == "properties") for key, value in schema.items()}


def _unbounded(node: Any, *, inside_properties: bool = False) -> Any:  # noqa: ANN401 - JSON is any
    if isinstance(node, list):
        return [_unbounded(item) for item in node]
    if not isinstance(node, dict):
        return node
    # the keys of `properties` are names of fields, which may be called like a keyword
    kept = node if inside_properties else {key: value for key, value in node.items() if key not in _BOUNDS}
    return {key: _unbounded(value, inside_properties=key == "properties") for key, value in kept.items()}


def _tighten(node: Any, definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON is any
    if isinstance(node, list):
        return [_tighten(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if reference := node.get("$ref"):
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _tighten({**definitions[str(reference).rsplit("/", 1)[-1]], **beside}, definitions)
    tight = {
        key: {name: _tighten(field, definitions) for name, field in value.items()}
        if key == "properties"
        else _tighten(value, definitions)
        for key, value in node.items()
        if key not in _NOISE
    }
    if tight.get("type") == "object":
        tight["additionalProperties"] = False
        tight["required"] = list(tight.get("properties", {}))
    return tight
