"""A skill as the Markdown file that it could have been uploaded as."""

import json
from collections.abc import Sequence
from typing import Final

from memcubed.memories.schemas import SkillValue

_SECTIONS: Final = (("experience", "Experience"), ("preference", "Preferences"), ("examples", "Examples"))


def to_markdown(skill: SkillValue) -> str:
    """Front matter, then the procedure, then a list for each of the others that has something."""
    # A JSON string is a YAML one, whatever is in it.
    head = "\n".join(
        f"{name}: {json.dumps(value, ensure_ascii=False)}"
        for name, value in (("name", skill.name), ("description", skill.description))
    )
    blocks = [f"---\n{head}\n---", skill.procedure.strip()]
    for field, title in _SECTIONS:
        items: Sequence[str] = getattr(skill, field)
        if items:
            blocks.append("\n".join((f"## {title}", "", *(f"- {item}" for item in items))))
    return "\n\n".join(block for block in blocks if block) + "\n"
