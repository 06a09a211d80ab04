"""The shapes of memories in answers, one for each list.

Times are epoch milliseconds. `relativity` is there when a search found the memory, `history` when it was asked for.
"""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, Field

from memcubed.clock import epoch_milliseconds
from memcubed.contract.links import absolute
from memcubed.memories.model import MemoryKind, MemoryLayer, MemoryStatus, MemoryVersion, Source, StoredMemory
from memcubed.messages.model import Role


class SourceDetail(BaseModel):
    """A message that a memory was made from."""

    message_id: str
    role: Role
    content: str
    chat_time: int

    @classmethod
    def of(cls, source: Source) -> "SourceDetail":
        """The message, as answers show it."""
        return cls(
            message_id=str(source.message_id),
            role=source.role,
            content=source.content,
            chat_time=epoch_milliseconds(source.chat_time),
        )


class VersionDetail(BaseModel):
    """What a memory said from a moment on, and why it was changed."""

    version: int
    key: str
    value: str
    reasoning: str
    reason: str
    create_time: int
    superseded_by: str | None = None
    """The memory that took its place."""

    @classmethod
    def of(cls, version: MemoryVersion) -> "VersionDetail":
        """The version, as answers show it."""
        return cls(
            version=version.version,
            key=version.key,
            value=version.value,
            reasoning=version.reasoning,
            reason=version.reason,
            create_time=epoch_milliseconds(version.created_at),
            superseded_by=None if version.superseded_by is None else str(version.superseded_by),
        )


class DocumentPlace(BaseModel):
    """Where in a knowledge base's file a memory stands: `piece` counts from 1, `heading` has the outermost first."""

    knowledgebase_id: str
    file_id: str
    file_name: str
    page: int | None = None
    """From 1; absent where the format has no pages."""
    heading: list[str]
    piece: int


class MemoryDetail(BaseModel):
    """A fact."""

    id: str
    memory_key: str
    memory_value: str
    memory_type: MemoryLayer
    confidence: float
    tags: list[str]
    memory_time: int | None = None
    sources: list[SourceDetail]
    info: dict[str, Any]
    folded_ids: list[str] | None = None
    """Memories of the same place in the conversation whose text `memory_value` holds as well."""
    document: DocumentPlace | None = None
    """For what comes from a file of a knowledge base."""
    conversation_id: str
    status: MemoryStatus
    create_time: int
    update_time: int
    relativity: float | None = None
    history: list[VersionDetail] | None = None


class PreferenceDetail(BaseModel):
    """A preference, stated or inferred, with the reason for believing it."""

    id: str
    preference: str
    preference_type: MemoryKind
    reasoning: str
    sources: list[SourceDetail]
    info: dict[str, Any]
    conversation_id: str
    status: MemoryStatus
    create_time: int
    update_time: int
    relativity: float | None = None
    history: list[VersionDetail] | None = None


class ToolUse(BaseModel):
    """How calls of a tool went. `error_type` is empty after a success; `success_rate` is from 0 to 1."""

    used_tool: str
    error_type: str = ""
    success_rate: float
    tool_experience: str = ""


class ToolMemoryDetail(BaseModel):
    """What a tool is (ToolSchemaMemory), or how calls of it went (ToolTrajectoryMemory)."""

    id: str
    tool_type: str
    tool_value: str
    tool_used_status: list[ToolUse]
    experience: str
    sources: list[SourceDetail]
    info: dict[str, Any]
    conversation_id: str
    status: MemoryStatus
    create_time: int
    update_time: int
    relativity: float | None = None
    history: list[VersionDetail] | None = None


class SkillValue(BaseModel):
    """How something is done."""

    name: str
    description: str
    procedure: str = ""
    experience: list[str] = Field(default_factory=list)
    preference: list[str] = Field(default_factory=list)
    examples: list[str] = Field(default_factory=list)
    script: dict[str, Any] = Field(default_factory=dict)
    others: dict[str, Any] = Field(default_factory=dict)


class SkillDetail(BaseModel):
    """A skill, uploaded or distilled from tasks. `skill_url` downloads it, with the API key."""

    id: str
    skill_value: SkillValue
    skill_url: str | None
    skill_type: str
    confidence: float
    tags: list[str]
    info: dict[str, Any]
    conversation_id: str
    status: MemoryStatus
    create_time: int
    update_time: int
    relativity: float | None = None
    history: list[VersionDetail] | None = None


class EventDetail(BaseModel):
    """Something that happened or will, with when, where and who."""

    id: str
    event_key: str
    event_value: str
    event_type: str = "EventMemory"
    event_time: list[str]
    event_location: list[str]
    event_roles: list[str]
    sources: list[SourceDetail]
    info: dict[str, Any]
    conversation_id: str
    status: MemoryStatus
    create_time: int
    update_time: int
    relativity: float | None = None
    history: list[VersionDetail] | None = None


class ProfileDetail(BaseModel):
    """A field of a profile; `memory` reads `Group.Field: value`."""

    id: str
    memory: str
    memory_type: str = "ProfileMemory"
    template_id: str
    profile_category: str
    profile_field: str
    profile_path: str
    confidence: float
    algorithm_updatable: bool
    conversation_id: str
    status: MemoryStatus
    create_time: int
    update_time: int
    relativity: float | None = None
    history: list[VersionDetail] | None = None


AnyDetail = MemoryDetail | PreferenceDetail | ToolMemoryDetail | SkillDetail | EventDetail | ProfileDetail


class MemoryLists(BaseModel):
    """Memories by kind."""

    memory_detail_list: list[MemoryDetail]
    preference_detail_list: list[PreferenceDetail]
    tool_memory_detail_list: list[ToolMemoryDetail]
    skill_detail_list: list[SkillDetail]
    event_detail_list: list[EventDetail]
    profile_detail_list: list[ProfileDetail]
    preference_note: str = ""
    """How a model should weigh the preferences."""


_TOOL_TYPES = {MemoryKind.TOOL_SCHEMA: "ToolSchemaMemory", MemoryKind.TOOL_TRAJECTORY: "ToolTrajectoryMemory"}


def fact_detail(memory: StoredMemory, relativity: float | None = None) -> MemoryDetail:
    """A fact as answers show it; `details` holds a `document` (a DocumentPlace) for what was read in one."""
    place = memory.details.get("document")
    return MemoryDetail(
        **_common(memory, relativity),
        memory_key=memory.key,
        memory_value=memory.value,
        memory_type=memory.layer,
        confidence=memory.confidence,
        tags=list(memory.tags),
        memory_time=None if memory.memory_time is None else epoch_milliseconds(memory.memory_time),
        sources=_sources(memory),
        info=dict(memory.info),
        document=None if place is None else DocumentPlace.model_validate(place),
    )


def preference_detail(memory: StoredMemory, relativity: float | None = None) -> PreferenceDetail:
    """A preference as answers show it."""
    return PreferenceDetail(
        **_common(memory, relativity),
        preference=memory.value,
        preference_type=memory.kind,
        reasoning=memory.reasoning,
        sources=_sources(memory),
        info=dict(memory.info),
    )


def tool_memory_detail(memory: StoredMemory, relativity: float | None = None) -> ToolMemoryDetail:
    """A tool memory as answers show it; `details` holds `used` (ToolUse objects) and `experience`."""
    return ToolMemoryDetail(
        **_common(memory, relativity),
        tool_type=_TOOL_TYPES[memory.kind],
        tool_value=memory.value,
        tool_used_status=[ToolUse.model_validate(use) for use in _list(memory, "used")],
        experience=_text(memory, "experience"),
        sources=_sources(memory),
        info=dict(memory.info),
    )


def skill_detail(memory: StoredMemory, relativity: float | None = None) -> SkillDetail:
    """A skill as answers show it; `details` holds `skill` (a SkillValue), `url` and `type`."""
    url = memory.details.get("url")
    return SkillDetail(
        **_common(memory, relativity),
        skill_value=SkillValue.model_validate(memory.details.get("skill")),
        skill_url=None if url is None else absolute(str(url)),
        skill_type=_text(memory, "type"),
        confidence=memory.confidence,
        tags=list(memory.tags),
        info=dict(memory.info),
    )


def event_detail(memory: StoredMemory, relativity: float | None = None) -> EventDetail:
    """An event as answers show it; `details` holds the lists `time`, `location` and `roles`."""
    return EventDetail(
        **_common(memory, relativity),
        event_key=memory.key,
        event_value=memory.value,
        event_time=[str(time) for time in _list(memory, "time")],
        event_location=[str(place) for place in _list(memory, "location")],
        event_roles=[str(role) for role in _list(memory, "roles")],
        sources=_sources(memory),
        info=dict(memory.info),
    )


def profile_detail(memory: StoredMemory, relativity: float | None = None) -> ProfileDetail:
    """A profile's field as answers show it; `details` holds `template_id`, the list `path`, `algorithm_updatable`."""
    path = [str(part) for part in _list(memory, "path")]
    return ProfileDetail(
        **_common(memory, relativity),
        memory=f"{'.'.join(path)}: {memory.value}",
        template_id=_text(memory, "template_id"),
        profile_category=path[0] if len(path) > 1 else "",
        profile_field=path[-1] if path else "",
        profile_path=".".join(path),
        confidence=memory.confidence,
        algorithm_updatable=memory.details.get("algorithm_updatable") is not False,
    )


def detail(memory: StoredMemory) -> AnyDetail:
    """A memory in its kind's shape."""
    shape: Callable[[StoredMemory], AnyDetail]
    match memory.kind:
        case MemoryKind.FACT:
            shape = fact_detail
        case MemoryKind.EXPLICIT_PREFERENCE | MemoryKind.IMPLICIT_PREFERENCE:
            shape = preference_detail
        case MemoryKind.TOOL_SCHEMA | MemoryKind.TOOL_TRAJECTORY:
            shape = tool_memory_detail
        case MemoryKind.SKILL:
            shape = skill_detail
        case MemoryKind.EVENT:
            shape = event_detail
        case MemoryKind.PROFILE:
            shape = profile_detail
    return shape(memory)


def _common(memory: StoredMemory, relativity: float | None) -> dict[str, Any]:
    return {
        "id": str(memory.id),
        "create_time": epoch_milliseconds(memory.created_at),
        "update_time": epoch_milliseconds(memory.updated_at),
        "conversation_id": memory.conversation_id,
        "status": memory.status,
        "relativity": relativity,
    }


def _sources(memory: StoredMemory) -> list[SourceDetail]:
    return [SourceDetail.of(source) for source in memory.sources]


def _list(memory: StoredMemory, name: str) -> Sequence[Any]:
    value = memory.details.get(name)
    return value if isinstance(value, list) else []


def _text(memory: StoredMemory, name: str) -> str:
    value = memory.details.get(name)
    return "" if value is None else str(value)
