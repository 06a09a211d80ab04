"""What projects and keys are, inside the service."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from memcubed.projects.scopes import Scope


@dataclass(frozen=True, slots=True)
class Project:
    """An isolated space. `timezone` is where times without a zone are read.

    `redact` is its own choice whether what it brings is redacted: None for the installation's.
    """

    id: UUID
    name: str
    timezone: ZoneInfo
    redact: bool | None = None

    def redacts(self, *, default: bool) -> bool:
        """Whether what the project brings is redacted; `default` is the installation's choice."""
        return default if self.redact is None else self.redact


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """A project as the operator sees it.

    `daily_token_budget` is its own budget of model tokens: None for the installation's, 0 for no limit.
    """

    project: Project
    created_at: datetime
    daily_token_budget: int | None


@dataclass(frozen=True, slots=True)
class ProjectChange:
    """What is to be different; None leaves a field as it is.

    A budget of -1 is the installation's again, and so is redaction with `resets_redaction`.
    """

    name: str | None = None
    timezone: str | None = None
    daily_token_budget: int | None = None
    redact: bool | None = None
    resets_redaction: bool = False


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
