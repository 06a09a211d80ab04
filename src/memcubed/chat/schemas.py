"""The body and answers of chat."""

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator
from pydantic.config import JsonDict

from memcubed.contract.request import AppId, ConversationId, Count, Flag, UserId, documented
from memcubed.errors import InvalidRequestError
from memcubed.messages.schemas import AddMessageRequest
from memcubed.recall.schemas import SearchRequest

MOST_ANSWER_TOKENS: Final = 32_000

_HOTEL: Final[JsonDict] = {
    "user_id": "memos_user_123",
    "conversation_id": "0928",
    "query": "我国庆想出去玩，帮我推荐个没去过的城市，以及没住过的酒店品牌",
}


class ChatRequest(SearchRequest):
    """A message to the model, with what recall is to look for: every field of search/memory works here."""

    model_config = ConfigDict(json_schema_extra={"examples": [_HOTEL, {**_HOTEL, "stream": True}]})

    user_id: UserId
    conversation_id: ConversationId
    system_prompt: str | None = None
    """What the application asks of the model, beside the service's own instructions."""
    model_name: str | None = None
    """The model that answers: the configured one, or one of those that the operator allows."""
    stream: Flag = False
    """Answer with server-sent events."""
    max_tokens: Annotated[Count, documented(minimum=1, maximum=MOST_ANSWER_TOKENS)] = 8192
    """At most 32,000 tokens of answer."""
    temperature: float = Field(default=0.7, strict=True, json_schema_extra={"minimum": 0, "maximum": 2})
    """From 0 to 2."""
    top_p: float = Field(default=0.95, strict=True, json_schema_extra={"exclusiveMinimum": 0, "maximum": 1})
    """Above 0, at most 1."""
    add_message_on_answer: Flag = True
    """Whether the query and the answer become messages of the conversation."""
    app_id: AppId | None = None
    """Kept with the messages, as in add/message; so are the next five."""
    tags: list[str] = Field(default_factory=list)
    info: dict[str, JsonValue] = Field(default_factory=dict)
    allow_public: Flag = False
    allow_knowledgebase_ids: list[str] = Field(default_factory=list)

    @field_validator("max_tokens")
    @classmethod
    def _fits(cls, number: int) -> int:
        if not 1 <= number <= MOST_ANSWER_TOKENS:
            raise InvalidRequestError(f"max_tokens must be from 1 to {MOST_ANSWER_TOKENS}.")
        return number

    @field_validator("temperature")
    @classmethod
    def _is_temperature(cls, number: float) -> float:
        if not 0 <= number <= 2:  # noqa: PLR2004 - what the endpoints take
            raise InvalidRequestError("temperature must be a number from 0 to 2.")
        return number

    @field_validator("top_p")
    @classmethod
    def _is_share(cls, number: float) -> float:
        if not 0 < number <= 1:
            raise InvalidRequestError("top_p must be a number above 0 and at most 1.")
        return number

    @model_validator(mode="after")
    def _can_be_added(self) -> Self:
        self.exchange("checked before the model is asked, since an answer that can't be stored would be lost")
        return self

    def exchange(self, answer: str) -> AddMessageRequest:
        """The query and its answer, as add/message takes them: nothing that was recalled is among it."""
        shared = ("user_id", "conversation_id", "agent_id", "app_id", "tags", "info", "allow_public")
        return AddMessageRequest.model_validate(
            {
                **{name: getattr(self, name) for name in (*shared, "allow_knowledgebase_ids")},
                "messages": [{"role": "user", "content": self.query}, {"role": "assistant", "content": answer}],
            }
        )


class ChatData(BaseModel):
    """The whole answer, without the reasoning before it."""

    response: str


class ChatEvent(BaseModel):
    """One event of a streamed answer.

    `end` is the last one, always; its `data` is "error" when an `error` came before it, else empty. The `data` of an
    error says what went wrong, and `code` is from the table of errors.
    """

    type: Literal["reasoning", "text", "error", "end"]
    data: str = ""
    code: int | None = None
