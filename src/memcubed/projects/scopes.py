"""What a key may do, and what each route asks of it: here for all routes, so that none can be forgotten."""

from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """What a key may do. `admin` keys belong to the installation: they open /admin, and no project."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


PROJECT_SCOPES: Final = frozenset({Scope.READ, Scope.WRITE})
"""What keys of a project may have, and have unless less was asked for."""

READING_VERBS: Final = frozenset({"get", "list", "search", "extract", "rerank"})
"""Routes that begin with one of these change nothing that anyone sees later."""


def needed_scope(method: str, path: str) -> Scope:
    """The scope that a route of the contract needs, by its path below the base path.

    A route that nobody thought of here needs `write`, unless its method is GET: it is refused rather than let through.
    """
    if method in {"GET", "HEAD"}:
        return Scope.READ
    return Scope.READ if path.strip("/").split("/")[0] in READING_VERBS else Scope.WRITE
