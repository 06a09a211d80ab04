"""Addresses of this service in its own answers, as its callers reach it."""

from contextvars import ContextVar
from typing import Final
from uuid import UUID

BASE_PATH: Final = "/api/openmem/v1"

public_base: ContextVar[str] = ContextVar("public_base", default="")
"""`scheme://host` under which the request that is being answered came in; empty outside of requests."""


def skill_path(skill_id: UUID) -> str:
    """Where a skill can be downloaded, below the service's address."""
    return f"{BASE_PATH}/download/skill/{skill_id}"


def absolute(path: str) -> str:
    """The whole address of a path of this service; other addresses stay as they are."""
    return f"{public_base.get()}{path}" if path.startswith("/") else path
