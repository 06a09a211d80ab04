"""What projects and keys are, inside the service."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from memcubed.projects.scopes import Scope


@dataclass(frozen=True, slots=True)
class Project:
    """An isolated space. `timezone` is where times without a zone are read."""

    id: UUID
    name: str
    timezone: ZoneInfo


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it may be shown: its prefix, never the key or its hash."""

    id: UUID
    name: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    scopes: frozenset[Scope]
