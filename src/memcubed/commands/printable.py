"""What users of the API chose, such as ids and names, on the terminal of an operator."""


def printable(text: str) -> str:
    r"""The text in one line, with an escape (`\x1b`) for each character that a terminal would obey and not show."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def printable_lines(text: str) -> str:
    """The same for a text that may have several lines, as reasons of errors do."""
    return "\n".join(map(printable, text.splitlines()))
