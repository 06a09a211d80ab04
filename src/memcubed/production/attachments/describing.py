"""What a vision model is told to say of an image."""

from functools import cache
from importlib import resources
from typing import Final

from memcubed.language.cleaning import printable
from memcubed.language.detect import Language

PROMPT_VERSION: Final = "describe.v1"
MAX_DESCRIPTION_CHARACTERS: Final = 2000


@cache
def describing_prompt(language: Language) -> str:
    """The versioned instructions, from the package."""
    file = resources.files("memcubed.production.attachments") / "prompts" / f"{PROMPT_VERSION}.{language.value}.md"
    return file.read_text(encoding="utf-8").strip()


def clean_description(text: str) -> str:
    """The description as it is kept: printable, of bounded length; empty when the model said nothing."""
    return printable(text).strip()[:MAX_DESCRIPTION_CHARACTERS].strip()
