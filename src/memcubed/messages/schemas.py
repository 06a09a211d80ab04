"""The bodies and answers of the message routes."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, field_validator, model_validator
from pydantic.config import JsonDict

from memcubed.contract.request import (
    MAX_ID_CHARACTERS,
    AppId,
    ConversationId,
    Count,
    Flag,
    OptionalConversationId,
    RequestModel,
    UserId,
    check_ids,
    documented,
    require_owner,
)
from memcubed.errors import (
    EmptyListError,
    InvalidRequestError,
    MissingFieldError,
    UnsupportedTypeError,
    UserIdTooLongError,
)
from memcubed.knowledge.schemas import BaseIds
from memcubed.memories.model import MemoryView
from memcubed.memories.views import check_views
from memcubed.messages.attachments import AttachmentKind, check_part
from memcubed.messages.model import Role

MAX_GROUP: Final = 20
MAX_MESSAGES_ANSWERED: Final = 50
_PART_TYPES: Final = ("text", *AttachmentKind)
_README_CONVERSATION: Final[JsonDict] = {
    "user_id": "memos_user_123",
    "conversation_id": "0610",
    "messages": [
        {"role": "user", "content": "我暑假定好去广州旅游，住宿的话有哪些连锁酒店可选？"},
        {"role": "assistant", "content": "您可以考虑【七天、全季、希尔顿】等等"},
        {"role": "user", "content": "我选七天"},
        {"role": "assistant", "content": "好的，有其他问题再问我。"},
    ],
}


class MessageIn(BaseModel):
    """One message; what it has beyond these fields is kept as well."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    role: Role
    content: str | list[dict[str, JsonValue]] | None = None
    """Text, or a list of parts `{"type": "text" | "image_url" | "file", ...}`; may be absent beside `tool_calls`."""
    chat_time: str | int | float | None = None
    """When it was said; now when absent. ISO 8601, `2025-06-10 14:30:00`, a date, epoch s or ms, or words."""
    role_id: str | None = None
    role_name: str | None = None
    """Who speaks, in a conversation of several."""
    tool_calls: list[dict[str, JsonValue]] | None = None
    """Calls of tools that an assistant asks for, as in OpenAI's API."""
    tool_call_id: str | None = None
    """On a tool's message: the call that it answers."""
    tools: JsonValue = None
    """Definitions of tools, as in OpenAI's API."""


def check_messages(messages: object) -> object:
    """Name the message and the field where the general checks of types could not say it as plainly."""
    if not isinstance(messages, list):
        raise InvalidRequestError("messages must be a list of objects with `role` and `content`.")
    if not messages:
        raise EmptyListError("messages must hold at least one message.")
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise InvalidRequestError(f"messages[{index}] must be an object with `role` and `content`.")
        _check_message(message, f"messages[{index}]")
    return messages


def _check_message(message: Mapping[str, object], path: str) -> None:
    role = message.get("role")
    if role is None or role == "":
        raise MissingFieldError(f"{path}.role is required: user, assistant, system or tool.")
    if not isinstance(role, str) or role not in set(Role):
        raise InvalidRequestError(f"{path}.role must be user, assistant, system or tool.")
    _check_content(message.get("content"), f"{path}.content", role=role, calls_tools=bool(message.get("tool_calls")))
    for name in ("role_id", "role_name", "tool_call_id"):
        value = message.get(name, "")
        if not isinstance(value, str):
            raise InvalidRequestError(f"{path}.{name} must be a string.")
        if name != "tool_call_id" and len(value) > MAX_ID_CHARACTERS:
            raise UserIdTooLongError(f"{path}.{name} must be at most {MAX_ID_CHARACTERS} characters.")
    if not isinstance(message.get("chat_time", ""), str | int | float) or isinstance(message.get("chat_time"), bool):
        raise InvalidRequestError(f"{path}.chat_time must be a string or a number.")


def _check_content(content: object, path: str, *, role: object, calls_tools: bool) -> None:
    may_be_empty = role == Role.ASSISTANT and calls_tools
    if isinstance(content, str):
        if not content.strip() and not may_be_empty:
            raise MissingFieldError(f"{path} must not be empty.")
    elif isinstance(content, list):
        if not content and not may_be_empty:
            raise MissingFieldError(f"{path} must not be empty.")
        for index, part in enumerate(content):
            _check_part(part, f"{path}[{index}]")
    elif content is not None:
        raise InvalidRequestError(f"{path} must be a string or a list of parts.")
    elif not may_be_empty:
        raise MissingFieldError(f"{path} is required.")


def _check_part(part: object, path: str) -> None:
    if not isinstance(part, dict):
        raise InvalidRequestError(f"{path} must be an object with a `type`.")
    kind = part.get("type")
    if kind is None:
        raise MissingFieldError(f"{path}.type is required: {', '.join(_PART_TYPES)}.")
    if kind not in _PART_TYPES:
        raise UnsupportedTypeError(f"{path}.type must be one of {', '.join(_PART_TYPES)}.")
    if kind != "text":
        check_part(part, path)
    elif not isinstance(part.get("text"), str):
        raise InvalidRequestError(f"{path}.text must be a string.")


def _check_info(info: object) -> object:
    if not isinstance(info, dict):
        raise InvalidRequestError("info must be an object of strings, numbers and lists of strings.")
    for key, value in info.items():
        flat_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if not flat_list and not isinstance(value, str | int | float):
            raise InvalidRequestError(f"info.{key} must be a string, a number or a list of strings.")
    return info


class AddMessageRequest(RequestModel):
    """A conversation, or its newest part."""

    model_config = ConfigDict(json_schema_extra={"examples": [_README_CONVERSATION]})

    user_id: Annotated[str | list[str] | None, BeforeValidator(lambda v: check_ids(v, "user_id", most=MAX_GROUP))] = (
        None
    )
    """Whose memories these become; a list for a conversation of several."""
    agent_id: Annotated[str | list[str] | None, BeforeValidator(lambda v: check_ids(v, "agent_id", most=MAX_GROUP))] = (
        None
    )
    """The agent that took part; the owner of the memories when there is no user_id."""
    conversation_id: OptionalConversationId = None
    """The conversation; a default one when absent."""
    messages: Annotated[list[MessageIn], BeforeValidator(check_messages), documented(minItems=1)]
    app_id: AppId | None = None
    tags: list[str] = Field(default_factory=list)
    """A vocabulary: each memory gets those of these that fit it, beside its own tags."""
    info: Annotated[dict[str, JsonValue], BeforeValidator(_check_info)] = Field(default_factory=dict)
    """Flat values that are kept with every memory and can be filtered on."""
    allow_public: Flag = False
    """Whether the project's public memory gains these memories as well."""
    allow_knowledgebase_ids: BaseIds = Field(default_factory=list)
    """Knowledge bases of the project's own that gain these memories as well; `all` for every one."""
    allow_memory_view: Annotated[list[MemoryView] | None, BeforeValidator(check_views)] = None
    """The kinds of memory to make; absent: all but events and skills."""
    tools: JsonValue = None
    """Not of the hosted platform: the tools that the assistant had, as in OpenAI's API."""
    async_mode: Flag = True
    """False: answer when extraction is done, or `running` when that takes too long."""

    @model_validator(mode="after")
    def _has_an_owner(self) -> Self:
        require_owner(self.user_id, self.agent_id)
        return self

    @property
    def has_attachments(self) -> bool:
        """Whether a message has files or images; such requests are always asynchronous."""
        return any(
            part.get("type") != "text"
            for message in self.messages
            if isinstance(message.content, list)
            for part in message.content
        )


class AddMessageData(BaseModel):
    """`status` is `running`, `completed` or `failed`."""

    success: bool
    task_id: str
    status: str


class GetMessageRequest(RequestModel):
    """The newest messages of a conversation."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user_id": "memos_user_123", "conversation_id": "0610"}]}
    )

    user_id: UserId
    conversation_id: ConversationId
    message_limit_number: Annotated[Count, documented(minimum=1, maximum=MAX_MESSAGES_ANSWERED)] = 6
    """At most 50."""

    @field_validator("message_limit_number")
    @classmethod
    def _within_limit(cls, number: int) -> int:
        if not 1 <= number <= MAX_MESSAGES_ANSWERED:
            raise InvalidRequestError(f"message_limit_number must be from 1 to {MAX_MESSAGES_ANSWERED}.")
        return number


class MessageDetail(BaseModel):
    """A message as it was sent, with the times in epoch milliseconds."""

    model_config = ConfigDict(extra="allow")

    id: str
    role: Role
    content: Any
    create_time: int
    update_time: int


class GetMessageData(BaseModel):
    """Oldest first."""

    message_detail_list: list[MessageDetail]
