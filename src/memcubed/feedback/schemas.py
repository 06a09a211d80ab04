"""The body of add/feedback; it answers as add/message does."""

from pydantic import ConfigDict, Field, field_validator, model_validator

from memcubed.contract.request import (
    AgentId,
    AppId,
    Flag,
    OptionalConversationId,
    RequestModel,
    Text,
    UserId,
    require_owner,
)
from memcubed.errors import InvalidRequestError, MissingFieldError
from memcubed.knowledge.schemas import BaseIds


class AddFeedbackRequest(RequestModel):
    """What a user says of what is remembered, or of an answer that was made of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "user_id": "memos_user_123",
                    "conversation_id": "0610",
                    "feedback_content": "办公类软件的采购上限是600元，而不是800元",
                }
            ]
        }
    )

    user_id: UserId | None = None
    """Whose memories it corrects."""
    agent_id: AgentId | None = None
    """The agent that took part; its own memories are corrected when there is no user_id."""
    conversation_id: OptionalConversationId = None
    """The conversation that the feedback belongs to; a default one when absent."""
    feedback_content: Text
    """What the user says, in words."""
    app_id: AppId | None = None
    feedback_time: str | int | float | None = None
    """When it was said; now when absent. The forms are those of `chat_time`."""
    allow_public: Flag = False
    """Whether the project's public memory is corrected as well."""
    allow_knowledgebase_ids: BaseIds = Field(default_factory=list)
    """Knowledge bases that are corrected as well."""
    async_mode: Flag = True
    """False: answer when the feedback has taken effect, or `running` when that takes too long."""

    @field_validator("feedback_content")
    @classmethod
    def _not_empty(cls, text: str) -> str:
        if not text.strip():
            raise MissingFieldError("feedback_content must not be empty.")
        return text

    @field_validator("feedback_time", mode="before")
    @classmethod
    def _a_time(cls, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise InvalidRequestError("feedback_time must be a string or a number.")
        return value

    @model_validator(mode="after")
    def _has_an_owner(self) -> "AddFeedbackRequest":
        require_owner(self.user_id, self.agent_id)
        return self
