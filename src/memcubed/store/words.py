"""Words as PostgreSQL takes them: the application's own tokens, never the server's dictionaries."""

from collections.abc import Iterable, Sequence
from typing import Final

_MAX_POSITION: Final = 16383  # of the tsvector type
_MAX_POSITIONS: Final = 255  # per lexeme, of the tsvector type
_FLAT: Final = 64


def to_tsvector(tokens: Iterable[str]) -> str:
    """The text form of a tsvector that holds each token at its positions."""
    positions: dict[str, list[int]] = {}
    for position, token in enumerate(tokens, start=1):
        positions.setdefault(token, []).append(min(position, _MAX_POSITION))
    return " ".join(
        f"{_quoted(token)}:{','.join(map(str, places[:_MAX_POSITIONS]))}" for token, places in positions.items()
    )


def to_tsquery(tokens: Iterable[str]) -> str:
    """The text form of a tsquery that any of the tokens satisfies; empty when there are none."""
    return _any_of([_quoted(token) for token in dict.fromkeys(tokens)])


def _any_of(quoted: Sequence[str]) -> str:
    # As deep as it has to be and no deeper: PostgreSQL walks the tree of a query on its stack.
    if len(quoted) <= _FLAT:
        return " | ".join(quoted)
    half = len(quoted) // 2
    return f"({_any_of(quoted[:half])}) | ({_any_of(quoted[half:])})"


def _quoted(token: str) -> str:
    return "'" + token.replace("\\", "\\\\").replace("'", "''") + "'"
