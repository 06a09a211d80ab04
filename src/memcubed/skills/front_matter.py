"""The head of a skill's Markdown: a block of YAML between two lines of three dashes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import yaml

from memcubed.errors import FileFormatError
from memcubed.language.cleaning import printable

MAX_NAME_CHARACTERS: Final = 200
MAX_DESCRIPTION_CHARACTERS: Final = 4000

BLOCK: Final = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)(.*)\Z", re.DOTALL | re.MULTILINE)
"""The head of a text, and what follows it."""

_LINE: Final = re.compile(r"^([A-Za-z_][\w-]*):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SkillText:
    """What a skill's Markdown says. `body` is the Markdown below its head; `more` the other plain fields of it."""

    name: str
    description: str
    body: str
    more: Mapping[str, str]


def read_skill_text(text: str, path: str) -> SkillText:
    """Read a skill's Markdown; `path` says which file it is in errors. Raises FileFormatError."""
    found = BLOCK.match(text.removeprefix("\ufeff"))
    if found is None:
        raise FileFormatError(
            f"{path} must begin with front matter: a line ---, `name: …`, `description: …`, and a line ---."
        )
    fields = _fields(found.group(1), path)
    for name, most in (("name", MAX_NAME_CHARACTERS), ("description", MAX_DESCRIPTION_CHARACTERS)):
        if not fields.get(name):
            raise FileFormatError(f"{path} has no `{name}` in its front matter.")
        if len(fields[name]) > most:
            raise FileFormatError(f"The `{name}` in the front matter of {path} has more than {most} characters.")
    more = {key: value for key, value in fields.items() if key not in {"name", "description"}}
    return SkillText(fields["name"], fields["description"], printable(found.group(2)).strip(), more)


def _fields(block: str, path: str) -> dict[str, str]:
    try:
        loaded = yaml.safe_load(block)
    except (yaml.YAMLError, ValueError, RecursionError):
        # "description: Use it when: ..." is no YAML, and is what many people write.
        loaded = dict(_LINE.findall(block))
    if not isinstance(loaded, dict):
        raise FileFormatError(f"The front matter of {path} must be fields such as `name: …`.")
    return {
        str(key): printable(str(value)).strip()
        for key, value in loaded.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }
