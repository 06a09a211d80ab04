"""What users of the API chose can't write over an operator's terminal."""

import pytest

from memcubed.commands.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("user 王芳 🍣", "user 王芳 🍣"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("ada\nuser bob", r"ada\nuser bob"),
        ("a\u202eb", r"a\u202eb"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
