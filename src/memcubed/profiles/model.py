"""What templates and profiles are made of: named fields in groups, at most three levels deep."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from pydantic import JsonValue

from memcubed.errors import EmptyListError, InvalidRequestError

MAX_DEPTH: Final = 3
MAX_FIELDS: Final = 200
MAX_NAME_CHARACTERS: Final = 100
MAX_VALUE_CHARACTERS: Final = 2000
SEPARATOR: Final = "."

_LEAF_KEYS: Final = frozenset({"value", "algorithm_updatable", "description"})

FieldPath = tuple[str, ...]
"""The names that lead to a field, such as ("Basic", "City")."""

FieldValue = str | int | float | bool | list[str]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field. `value` is None while nothing is known; a field that is not `algorithm_updatable` is locked."""

    value: FieldValue | None = None
    algorithm_updatable: bool = True
    description: str = ""

    @property
    def text(self) -> str:
        """The value as a person reads it; empty while nothing is known."""
        if self.value is None:
            return ""
        return ", ".join(self.value) if isinstance(self.value, list) else str(self.value)


Fields = Mapping[FieldPath, Leaf]


@dataclass(frozen=True, slots=True)
class Template:
    """The form of a profile."""

    id: UUID
    name: str
    description: str
    fields: Fields
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Profile:
    """A template's fields as they stand for one user or agent."""

    template_id: UUID
    fields: Fields


def read_fields(metadata: object, field: str = "metadata") -> dict[FieldPath, Leaf]:
    """The fields of a nested object, whose leaves are `{"value", "algorithm_updatable", "description"}`.

    A plain value in place of a leaf is taken as its value. Raises InvalidRequestError, naming the path.
    """
    if not isinstance(metadata, dict):
        raise InvalidRequestError(f"{field} must be an object of groups and fields.")
    fields = dict(_walk(metadata, (), field))
    if not fields:
        raise EmptyListError(f"{field} must hold at least one field.")
    if len(fields) > MAX_FIELDS:
        raise InvalidRequestError(f"{field} may hold at most {MAX_FIELDS} fields; it has {len(fields)}.")
    return fields


def to_metadata(fields: Fields) -> dict[str, JsonValue]:
    """The inverse of `read_fields`."""
    metadata: dict[str, JsonValue] = {}
    for path, leaf in fields.items():
        group = metadata
        for name in path[:-1]:
            inner = group.setdefault(name, {})
            if isinstance(inner, dict):
                group = inner
        shown: dict[str, JsonValue] = {
            "value": "" if leaf.value is None else _json(leaf.value),
            "algorithm_updatable": leaf.algorithm_updatable,
        }
        if leaf.description:
            shown["description"] = leaf.description
        group[path[-1]] = shown
    return metadata


def read_path(text: str) -> FieldPath:
    """The path that `Basic.City` names."""
    return tuple(text.split(SEPARATOR))


def field_memory_id(cube_id: UUID, template_id: UUID, path: FieldPath) -> UUID:
    """The id of the memory that shows a field: the same for the same field, always."""
    return uuid5(cube_id, f"profile:{template_id}:{SEPARATOR.join(path)}")


def _json(value: FieldValue) -> JsonValue:
    return [*value] if isinstance(value, list) else value


def _walk(group: Mapping[str, object], above: FieldPath, field: str) -> Iterator[tuple[FieldPath, Leaf]]:
    for name, node in group.items():
        path = (*above, name)
        where = SEPARATOR.join((field, *path))
        _check_name(name, where)
        if not isinstance(node, dict):
            yield path, Leaf(_read_value(node, where))
        elif not node or node.keys() & {"value", "algorithm_updatable"}:
            yield path, _read_leaf(node, where)
        elif len(path) >= MAX_DEPTH:
            raise InvalidRequestError(f"{where} nests too deep: at most {MAX_DEPTH} levels, the last of them fields.")
        else:
            yield from _walk(node, path, field)


def _check_name(name: str, where: str) -> None:
    if not name.strip():
        raise InvalidRequestError(f"{where}: a name must not be empty.")
    if SEPARATOR in name:
        raise InvalidRequestError(f"{where}: a name must not contain a full stop.")
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidRequestError(f"{where[:200]}…: a name must be at most {MAX_NAME_CHARACTERS} characters.")


def _read_leaf(leaf: Mapping[str, object], where: str) -> Leaf:
    unknown = leaf.keys() - _LEAF_KEYS
    if unknown:
        raise InvalidRequestError(f"{where}.{min(unknown)} is no part of a field: value, algorithm_updatable.")
    updatable = leaf.get("algorithm_updatable", True)
    if not isinstance(updatable, bool):
        raise InvalidRequestError(f"{where}.algorithm_updatable must be true or false.")
    description = leaf.get("description", "")
    if not isinstance(description, str) or len(description) > MAX_VALUE_CHARACTERS:
        raise InvalidRequestError(f"{where}.description must be a string of at most {MAX_VALUE_CHARACTERS} characters.")
    return Leaf(_read_value(leaf.get("value"), f"{where}.value"), updatable, description)


def _read_value(value: object, where: str) -> FieldValue | None:
    if value is None or value in ("", []):
        return None
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = [str(item) for item in value]
    elif not isinstance(value, str | int | float):
        raise InvalidRequestError(f"{where} must be a string, a number, true or false, or a list of strings.")
    leaf = Leaf(value)
    if len(leaf.text) > MAX_VALUE_CHARACTERS:
        raise InvalidRequestError(f"{where} must be at most {MAX_VALUE_CHARACTERS} characters.")
    return value
