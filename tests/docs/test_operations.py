"""docs/operations.md: every setting and every metric is in it, with its true default, and its commands work."""

import re
from collections.abc import Callable
from pathlib import Path

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from memcubed.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
ROW = re.compile(r"^\| `(MEMCUBED_\w+)` \| (?:`([^`]*)`|(none)) \| (.+) \|$", re.MULTILINE)


def rows() -> dict[str, tuple[str | None, str]]:
    text = DOCUMENT.read_text(encoding="utf-8")
    return {name: (default or None, meaning) for name, default, _, meaning in ROW.findall(text)}


def documented_default(field: FieldInfo) -> str | None:
    default = field.default
    if default is None or default == "":
        return None
    return f"{default:g}" if isinstance(default, float) else str(default)


def test_every_setting_is_in_the_table_with_its_default() -> None:
    settings = {f"MEMCUBED_{name}".upper(): documented_default(field) for name, field in Settings.model_fields.items()}
    assert {name: default for name, (default, _) in rows().items()} == settings


def test_other_names_of_settings_are_given() -> None:
    for name, field in Settings.model_fields.items():
        aliases = field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else []
        _, meaning = rows()[f"MEMCUBED_{name}".upper()]
        for alias in aliases:
            assert alias == f"MEMCUBED_{name}".upper() or f"`{alias}`" in meaning


def test_the_commands_work(run_document: Callable[..., None]) -> None:
    run_document("docs/operations.md")
