"""The tools that a conversation defines: in system messages, in messages' `tools` and in the request's."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from memcubed.language.sentences import clip
from memcubed.messages.model import Role
from memcubed.messages.tool_use import MAX_TOOLS
from memcubed.production.model import ExtractionRequest
from memcubed.providers.llm.tolerant_json import parse_tolerantly

_BLOCK: Final = re.compile(r"<tool_schemas?>(.*?)(?:</tool_schemas?>|\Z)", re.DOTALL | re.IGNORECASE)
_PARAMETERS: Final = ("parameters", "input_schema", "inputSchema", "args")
_MAX_NAME: Final = 128
_MAX_TEXT: Final = 20_000
_MAX_PARAMETERS: Final = 20
_DESCRIPTION: Final = 300
_PARAMETER: Final = 80
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_JOINTS: Final = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Definition:
    """A tool as it was defined; `text` is the definition as JSON, `source` the message that it stood in."""

    name: str
    description: str
    parameters: tuple[str, ...]
    text: str
    source: UUID | None

    @property
    def told(self) -> str:
        """The definition in words in which a question can find it."""
        head = f"{words_of(self.name)}: {self.description}" if self.description else words_of(self.name)
        return "\n".join((head, *self.parameters))


def find_definitions(request: ExtractionRequest) -> list[Definition]:
    """The tools that the request's turns define, the last definition of each name."""
    found: dict[str, Definition] = {}
    for text in request.tools:
        _add(found, text, None)
    for turn in request.turns:
        if turn.role is Role.SYSTEM:
            for block in _BLOCK.findall(turn.content):
                _add(found, block, turn.message_id)
        for text in turn.tools:
            _add(found, text, turn.message_id)
    return list(found.values())


def words_of(name: str) -> str:
    """A tool's name as words: `get_weather` and `getWeather` are both "get weather"."""
    return _JOINTS.sub(" ", _CAMEL.sub(" ", name)).strip().lower() or name


def _add(found: dict[str, Definition], text: str, source: UUID | None) -> None:
    try:
        parsed = parse_tolerantly(text)
    except ValueError:
        return
    for one in _listed(parsed):
        definition = _read(one, source)
        if definition is not None and (definition.name in found or len(found) < MAX_TOOLS):
            found[definition.name] = definition


def _listed(parsed: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(parsed, list):
        for one in parsed:
            if isinstance(one, dict):
                yield one
    elif isinstance(parsed, dict):
        for name in ("tools", "functions"):
            if isinstance(parsed.get(name), list):
                yield from _listed(parsed[name])
                return
        yield parsed


def _read(definition: Mapping[str, Any], source: UUID | None) -> Definition | None:
    function = definition.get("function")
    inner = function if isinstance(function, dict) else definition
    name = inner.get("name")
    if not isinstance(name, str) or not name.strip():
        return None
    text = json.dumps(definition, ensure_ascii=False)
    if len(text) > _MAX_TEXT:
        return None
    description = inner.get("description")
    return Definition(
        name=name.strip()[:_MAX_NAME],
        description=clip(" ".join(description.split()), _DESCRIPTION) if isinstance(description, str) else "",
        parameters=tuple(_parameters(inner))[:_MAX_PARAMETERS],
        text=text,
        source=source,
    )


def _parameters(function: Mapping[str, Any]) -> Iterator[str]:
    schema: Mapping[str, Any] = next(
        (function[name] for name in _PARAMETERS if isinstance(function.get(name), dict)), {}
    )
    properties = schema.get("properties")
    for name, described in (properties if isinstance(properties, dict) else schema).items():
        if not isinstance(described, dict):
            continue
        told = described.get("description")
        yield f"{words_of(name)}: {clip(told, _PARAMETER)}" if isinstance(told, str) and told else words_of(name)
