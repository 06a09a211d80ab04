"""Prompts: versioned files, which the packages that ask have in their folder `prompts`."""

from functools import cache
from importlib import resources


@cache
def read_prompt(package: str, name: str) -> str:
    """The text of a prompt, such as `chat.v1.en` of `memcubed.chat`. Raises FileNotFoundError."""
    file = resources.files(package) / "prompts" / f"{name}.md"
    return file.read_text(encoding="utf-8").strip()
