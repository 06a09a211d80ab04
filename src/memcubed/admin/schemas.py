"""The bodies and answers of the admin API."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from memcubed.clock import epoch_milliseconds
from memcubed.contract.request import Count, Flag, RequestModel
from memcubed.errors import EmptyListError, InvalidRequestError
from memcubed.projects.model import ApiKey, ProjectChange, ProjectRecord
from memcubed.projects.names import MAX_NAME_CHARACTERS, check_name, check_timezone
from memcubed.projects.scopes import PROJECT_SCOPES, Scope
from memcubed.usage.model import Budget, DayUsage, KindUsage, TaskUsage, Usage, with_rest

MAX_BUDGET = 10**15


def _check_name(value: object) -> object:
    if not isinstance(value, str):
        raise InvalidRequestError("name must be a string.")
    return check_name(value)


def _check_timezone(value: object) -> object:
    check_timezone(str(value))
    return value


Name = Annotated[str, BeforeValidator(_check_name)]
Timezone = Annotated[str, BeforeValidator(_check_timezone)]


class AdminRequest(RequestModel):
    """The base of the admin API's bodies: a field that there is not is refused, as it would change nothing."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, body: object) -> object:
        if not isinstance(body, dict):
            return body
        unknown = [str(field)[:100] for field in body if field not in cls.model_fields]
        if unknown:
            raise InvalidRequestError(
                f"There is no field {unknown[0]!r} here; there are {', '.join(cls.model_fields)}."
            )
        return body


class CreateProjectRequest(AdminRequest):
    """A new project."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "shop", "timezone": "Asia/Shanghai"}]})

    name: Name
    timezone: Timezone | None = None
    """An IANA time zone; the installation's default when absent."""
    redact: Flag | None = None
    """Whether what the project brings is redacted; as the installation's setting says when absent."""


class ChangeProjectRequest(AdminRequest):
    """What is to be different."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"daily_token_budget": 200_000}]})

    name: Name | None = None
    timezone: Timezone | None = None
    daily_token_budget: Annotated[Count, Field(ge=0, le=MAX_BUDGET)] | Literal["default"] | None = None
    """Model tokens a day; 0 is no limit, `default` the installation's setting."""
    redact: Flag | Literal["default"] | None = None
    """Whether what the project brings from now on is redacted; `default` is the installation's setting."""

    def to_change(self) -> ProjectChange:
        """As the service takes it."""
        budget = self.daily_token_budget
        return ProjectChange(
            self.name,
            self.timezone,
            -1 if budget == "default" else budget,
            redact=None if self.redact == "default" else self.redact,
            resets_redaction=self.redact == "default",
        )


class CreateKeyRequest(AdminRequest):
    """A new key of a project."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "ingest", "scopes": ["write"]}]})

    name: Annotated[str, Field(max_length=MAX_NAME_CHARACTERS)] = ""
    scopes: list[Literal[Scope.READ, Scope.WRITE]] | None = None
    """`read`, `write`; both when absent."""
    expires_at: datetime | None = None
    """ISO 8601, or epoch seconds or milliseconds; never when absent. Without a zone it is UTC."""

    def read_scopes(self) -> frozenset[Scope]:
        """The scopes. Raises EmptyListError."""
        if self.scopes is None:
            return PROJECT_SCOPES
        if not self.scopes:
            raise EmptyListError("scopes must name read, write or both.")
        return frozenset(Scope(scope) for scope in self.scopes)

    def read_expiry(self, now: datetime) -> datetime | None:
        """When the key expires. Raises InvalidRequestError when that has been already."""
        moment = self.expires_at
        if moment is None:
            return None
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        if aware <= now:
            raise InvalidRequestError("expires_at must be in the future.")
        return aware


class ProjectData(BaseModel):
    """A project; `daily_token_budget` and `redact` are null where the installation's settings hold."""

    id: str
    name: str
    timezone: str
    create_time: int
    daily_token_budget: int | None
    redact: bool | None

    @classmethod
    def of(cls, record: ProjectRecord) -> "ProjectData":
        """The project, as the API shows it."""
        return cls(
            id=str(record.project.id),
            name=record.project.name,
            timezone=record.project.timezone.key,
            create_time=epoch_milliseconds(record.created_at),
            daily_token_budget=record.daily_token_budget,
            redact=record.project.redact,
        )


class BudgetData(BaseModel):
    """What a project may spend today (null: as much as it likes), and has spent, in model tokens."""

    limit: int | None
    spent: int
    is_spent: bool

    @classmethod
    def of(cls, budget: Budget) -> "BudgetData":
        """The budget, as the API shows it."""
        return cls(limit=budget.limit, spent=budget.spent, is_spent=budget.is_spent)


class ProjectDetail(ProjectData):
    """A project with its budget of today."""

    budget: BudgetData


class ProjectListData(BaseModel):
    """Every project, oldest first."""

    projects: list[ProjectData]


class SuccessData(BaseModel):
    """It is done."""

    success: bool = True


class KeyData(BaseModel):
    """A key as it may be shown."""

    id: str
    name: str
    prefix: str
    scopes: list[Scope]
    create_time: int
    last_used_time: int | None
    expires_time: int | None
    revoked_time: int | None

    @classmethod
    def of(cls, key: ApiKey) -> "KeyData":
        """The key, as the API shows it."""
        return cls(
            id=str(key.id),
            name=key.name,
            prefix=key.prefix,
            scopes=sorted(key.scopes),
            create_time=epoch_milliseconds(key.created_at),
            last_used_time=_milliseconds(key.last_used_at),
            expires_time=_milliseconds(key.expires_at),
            revoked_time=_milliseconds(key.revoked_at),
        )


class KeyListData(BaseModel):
    """A project's keys, oldest first, revoked ones included."""

    keys: list[KeyData]


class NewKeyData(KeyData):
    """A key at its making: `key` is shown this once."""

    key: str

    @classmethod
    def made(cls, secret: str, key: ApiKey) -> "NewKeyData":
        """The new key."""
        return cls(key=secret, **KeyData.of(key).model_dump())


class UsageCounts(BaseModel):
    """Calls to models, and their tokens."""

    calls: int
    input_tokens: int
    output_tokens: int

    @classmethod
    def sum(cls, usages: list[Usage]) -> "UsageCounts":
        """All of them together."""
        total = sum(usages, Usage())
        return cls(calls=total.calls, input_tokens=total.input_tokens, output_tokens=total.output_tokens)


class DayUsageData(UsageCounts):
    """What a project used on a day of UTC, for one purpose, of one model."""

    project_id: str
    day: date
    purpose: str
    model: str

    @classmethod
    def of(cls, project_id: str, day: DayUsage) -> "DayUsageData":
        """The day, as the API shows it."""
        counts = UsageCounts.sum([day.usage])
        return cls(project_id=project_id, day=day.day, purpose=day.purpose, model=day.model, **counts.model_dump())


class KindUsageData(UsageCounts):
    """What was paid for memories of one kind, and how many were made.

    A call that gave memories of several kinds is divided among them by the length of their texts; `none` is what gave
    no memory. The kinds together are the total.
    """

    kind: str
    memories: int

    @classmethod
    def all(cls, kinds: Sequence[KindUsage], total: Usage) -> "list[KindUsageData]":
        """The kinds, as the API shows them, with what of the total was paid for none."""
        return [
            cls(kind=one.kind, memories=one.count.memories, **UsageCounts.sum([one.count.usage]).model_dump())
            for one in with_rest(kinds, total)
        ]


class ProjectKindUsageData(KindUsageData):
    """What a project paid for memories of one kind in all the days asked for, and how many it made."""

    project_id: str


class UsageData(BaseModel):
    """Usage by project, day, purpose and model; by project and kind of memory; and all of it together."""

    usage: list[DayUsageData]
    kinds: list[ProjectKindUsageData]
    total: UsageCounts


class PartUsageData(UsageCounts):
    """What a task used for one purpose, of one model."""

    purpose: str
    model: str

    @classmethod
    def of(cls, part: TaskUsage) -> "PartUsageData":
        """The part, as the API shows it."""
        return cls(purpose=part.purpose, model=part.model, **UsageCounts.sum([part.usage]).model_dump())


class TaskUsageData(BaseModel):
    """What a task used, by purpose and model, and by kind of memory; and all of it together."""

    usage: list[PartUsageData]
    kinds: list[KindUsageData]
    total: UsageCounts


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else epoch_milliseconds(moment)
