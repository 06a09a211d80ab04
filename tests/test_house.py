"""Rules of the house that import-linter has no words for."""

import ast
from collections.abc import Iterator
from pathlib import Path

import memcubed

HOUSE = Path(memcubed.__file__).parent
OUTSIDE = {"bootstrap", "store"}
"""The rooms that may know every repository: the wiring, and where repositories get their tools from."""


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_no_slice_uses_another_slices_repository() -> None:
    trespasses = [
        f"{file.relative_to(HOUSE)} imports {module}"
        for file in HOUSE.rglob("*.py")
        for module in imports(file)
        if "repository" in module.rpartition(".")[2]
        and module.split(".")[1] != file.relative_to(HOUSE).parts[0].removesuffix(".py")
        and file.relative_to(HOUSE).parts[0].removesuffix(".py") not in OUTSIDE
    ]
    assert trespasses == []


def test_every_room_says_what_it_is_for() -> None:
    rooms = [folder for folder in HOUSE.iterdir() if (folder / "__init__.py").is_file()]
    assert rooms
    silent = [room.name for room in rooms if not ast.get_docstring(ast.parse((room / "__init__.py").read_text()))]
    assert silent == []
