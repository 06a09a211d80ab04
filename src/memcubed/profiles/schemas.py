"""The bodies and answers of the profile routes."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.config import JsonDict

from memcubed.clock import epoch_milliseconds
from memcubed.contract.request import AgentId, Count, RequestModel, UserId, documented
from memcubed.errors import EmptyListError, InvalidRequestError, MissingFieldError, NotFoundError
from memcubed.profiles.model import FieldPath, Leaf, Profile, Template, read_fields, read_path, to_metadata
from memcubed.store.cubes import CubeKind

MAX_NAME_CHARACTERS: Final = 200
MAX_BINDINGS: Final = 100
MAX_PAGE: Final = 1_000_000
MAX_PAGE_SIZE: Final = 50

_EXAMPLE_METADATA: Final[JsonDict] = {
    "Basic": {
        "Name": {"value": "", "algorithm_updatable": True},
        "City": {"value": "", "algorithm_updatable": True},
    },
    "Service": {"Tier": {"value": "standard", "algorithm_updatable": False}},
}
_EXAMPLE_ID: Final = "5d1f8a46-0b0f-4f3e-8b5c-6f7d8a9e0c11"


def _check_template_id(value: object) -> object:
    if not isinstance(value, str):
        raise InvalidRequestError("profile_template_id must be a string.")
    if not value.strip():
        raise MissingFieldError("profile_template_id must not be empty.")
    return value


def _check_metadata(value: object) -> object:
    read_fields(value)
    return value


TemplateId = Annotated[str, BeforeValidator(_check_template_id), documented(pattern=r"\S")]
Metadata = Annotated[dict[str, Any], BeforeValidator(_check_metadata)]


def template_uuid(text: str) -> UUID:
    """The id of a template. Raises NotFoundError for what no template can have."""
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFoundError(f"There is no profile template {text[:100]!r}.") from error


class _Named(RequestModel):
    name: str | None = Field(
        default=None, validation_alias=AliasChoices("name", "template_name", "profile_template_name")
    )
    """`template_name` and `profile_template_name` are taken as well."""
    description: str | None = None

    @field_validator("name", "description")
    @classmethod
    def _not_too_long(cls, text: str | None) -> str | None:
        if text is not None and len(text) > MAX_NAME_CHARACTERS:
            raise InvalidRequestError(f"name and description must be at most {MAX_NAME_CHARACTERS} characters.")
        return text


class AddTemplateRequest(_Named):
    """The form of profiles."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Customer", "metadata": _EXAMPLE_METADATA}]})

    metadata: Metadata
    """Groups and fields, at most three levels; each field `{"value", "algorithm_updatable"}`."""


class UpdateTemplateRequest(_Named):
    """What is to change of a template."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"profile_template_id": _EXAMPLE_ID, "name": "Guest"}]})

    profile_template_id: TemplateId
    metadata: Metadata | None = None
    """The whole of the new fields."""

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.name is None and self.description is None and self.metadata is None:
            raise MissingFieldError("One of name, description and metadata is required.")
        return self


class TemplateRequest(RequestModel):
    """Names a template."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"profile_template_id": _EXAMPLE_ID}]})

    profile_template_id: TemplateId


class ListTemplatesRequest(RequestModel):
    """A page of templates, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"page": 1, "size": 10}]})

    page: Annotated[Count, documented(minimum=1, maximum=MAX_PAGE)] = 1
    size: Annotated[Count, documented(minimum=1, maximum=MAX_PAGE_SIZE)] = 10
    """At most 50."""

    @model_validator(mode="after")
    def _within_limits(self) -> Self:
        if not 1 <= self.page <= MAX_PAGE:
            raise InvalidRequestError(f"page must be from 1 to {MAX_PAGE}.")
        if not 1 <= self.size <= MAX_PAGE_SIZE:
            raise InvalidRequestError(f"size must be from 1 to {MAX_PAGE_SIZE}.")
        return self


class _Subject(RequestModel):
    user_id: UserId | None = None
    agent_id: AgentId | None = None
    """The user or the agent: one of the two."""
    profile_template_id: TemplateId

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.user_id is None) == (self.agent_id is None):
            raise MissingFieldError("Exactly one of user_id and agent_id is required.")
        return self

    @property
    def owner(self) -> tuple[CubeKind, str]:
        """Whose profile it is."""
        if self.user_id is not None:
            return CubeKind.USER, self.user_id
        return CubeKind.AGENT, self.agent_id or ""


class Binding(_Subject):
    """A user or an agent who is to have a profile of a template."""


class BindRequest(RequestModel):
    """Users and agents, each with a template."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"bind_list": [{"user_id": "ada", "profile_template_id": _EXAMPLE_ID}]}]}
    )

    bind_list: Annotated[list[Binding], documented(minItems=1, maxItems=MAX_BINDINGS)]
    """At most 100."""

    @field_validator("bind_list")
    @classmethod
    def _within_limits(cls, bindings: list[Binding]) -> list[Binding]:
        if not bindings:
            raise EmptyListError("bind_list must hold at least one entry.")
        if len(bindings) > MAX_BINDINGS:
            raise InvalidRequestError(f"bind_list may hold at most {MAX_BINDINGS} entries; it has {len(bindings)}.")
        return bindings


class EditProfileRequest(_Subject):
    """Values to set, locks to set or open, and fields to clear."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "user_id": "ada",
                    "profile_template_id": _EXAMPLE_ID,
                    "metadata": {"Basic": {"City": {"value": "Lyon", "algorithm_updatable": False}}},
                }
            ]
        }
    )

    metadata: Metadata | None = None
    """Fields in the form of the template; those that are left out stay."""
    remove_fields: list[str] = Field(default_factory=list)
    """Fields to clear, such as `Basic.City`; the name of a group clears all of it."""

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.metadata is None and not self.remove_fields:
            raise MissingFieldError("One of metadata and remove_fields is required.")
        return self

    @property
    def fields(self) -> dict[FieldPath, Leaf]:
        """The fields to set."""
        return {} if self.metadata is None else read_fields(self.metadata)

    @property
    def removed(self) -> list[FieldPath]:
        """The fields and groups to clear."""
        return [read_path(text) for text in self.remove_fields]


class ProfileRequest(_Subject):
    """Names a profile."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user_id": "ada", "profile_template_id": _EXAMPLE_ID}]})


class TemplateIdData(BaseModel):
    """The id of a new template, under both of the names that clients look for."""

    id: str
    profile_template_id: str


class TemplateData(BaseModel):
    """A template. Times are epoch milliseconds."""

    id: str
    profile_template_id: str
    name: str
    description: str
    metadata: dict[str, Any]
    create_time: int
    update_time: int

    @classmethod
    def of(cls, template: Template) -> "TemplateData":
        """The template, as answers show it."""
        return cls(
            id=str(template.id),
            profile_template_id=str(template.id),
            name=template.name,
            description=template.description,
            metadata=to_metadata(template.fields),
            create_time=epoch_milliseconds(template.created_at),
            update_time=epoch_milliseconds(template.updated_at),
        )


class TemplatesData(BaseModel):
    """A page of templates."""

    profile_template_list: list[TemplateData]
    total: int
    size: int
    current: int
    pages: int

    @classmethod
    def of(cls, templates: Sequence[Template], total: int, request: ListTemplatesRequest) -> "TemplatesData":
        """A page, as answers show it."""
        return cls(
            profile_template_list=[TemplateData.of(template) for template in templates],
            total=total,
            size=request.size,
            current=request.page,
            pages=math.ceil(total / request.size),
        )


class ProfileData(BaseModel):
    """A profile as it stands after an edit."""

    success: bool = True
    profile_template_id: str
    metadata: dict[str, Any]

    @classmethod
    def of(cls, profile: Profile) -> "ProfileData":
        """The profile, as answers show it."""
        return cls(profile_template_id=str(profile.template_id), metadata=to_metadata(profile.fields))


class SuccessData(BaseModel):
    """Done."""

    success: bool = True
