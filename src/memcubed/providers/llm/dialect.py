"""What an OpenAI-compatible endpoint does not take, learnt from its refusals.

There is no way to ask an endpoint what it supports, so each call starts with the most that is believed to work and
steps down when the endpoint names what it refuses.
"""

import re
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from memcubed.providers.llm.strict_schema import JsonSchema, without_bounds


class AnswerFormat(IntEnum):
    """How the form of an answer is asked for, from the firmest to the loosest."""

    BOUNDED_SCHEMA = 0
    SCHEMA = 1
    JSON_OBJECT = 2
    TEXT = 3


_REFUSALS = frozenset({400, 404, 405, 415, 422, 500, 501})
_PARAMETER_REFUSALS = frozenset({400, 422})
_FORMAT_WORDS = re.compile(
    r"response_?format|json_schema|json_object|json[ _-]?mode|structured[ _-]?outputs?|guided|grammar"
)
_BOUND_WORDS = re.compile(r"m(?:ax|in)(?:length|items)|'?pattern'?|is not permitted|keyword")
_TOKENS_WORDS = re.compile(r"max_completion_tokens|max_tokens")
# Qwen3 on DashScope refuses a call that does not stream, unless its thinking is turned off by name.
_THINKING_WORDS = re.compile(r"enable_thinking")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is believed to work at one endpoint; each field only ever moves one way, so that learning ends."""

    answer_format: AnswerFormat = AnswerFormat.BOUNDED_SCHEMA
    renames_max_tokens: bool = False
    takes_temperature: bool = True
    turns_thinking_off: bool = False

    @property
    def shows_schema(self) -> bool:
        """Whether the prompt has to spell the schema out, as the endpoint is not given it otherwise."""
        return self.answer_format >= AnswerFormat.JSON_OBJECT

    def parameters(self, schema: JsonSchema, name: str, max_tokens: int, temperature: float) -> dict[str, Any]:
        """Return the part of the request body that depends on the dialect."""
        body: dict[str, Any] = {"max_completion_tokens" if self.renames_max_tokens else "max_tokens": max_tokens}
        if self.takes_temperature:
            body["temperature"] = temperature
        if self.turns_thinking_off:
            body["extra_body"] = {"enable_thinking": False}
        if self.answer_format <= AnswerFormat.SCHEMA:
            given = schema if self.answer_format is AnswerFormat.BOUNDED_SCHEMA else without_bounds(schema)
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": name, "strict": True, "schema": given},
            }
        elif self.answer_format is AnswerFormat.JSON_OBJECT:
            body["response_format"] = {"type": "json_object"}
        return body

    def after_refusal(self, status: int, body: str) -> "Dialect | None":
        """Give the dialect to try next, or None when the refusal is about something else.

        `body` is the text of the answer. The step is to be remembered only once a call in the new dialect worked:
        a refusal may quote the prompt, and the words looked for may be a user's.
        """
        said = body.lower()
        learnt: Dialect | None = None
        if status not in _REFUSALS:
            pass
        elif not self.renames_max_tokens and status in _PARAMETER_REFUSALS and _names_tokens(said):
            learnt = replace(self, renames_max_tokens=True)
        elif self.takes_temperature and status in _PARAMETER_REFUSALS and "temperature" in said:
            learnt = replace(self, takes_temperature=False)
        elif not self.turns_thinking_off and _THINKING_WORDS.search(said):
            learnt = replace(self, turns_thinking_off=True)
        elif self.answer_format < AnswerFormat.TEXT and (_FORMAT_WORDS.search(said) or _BOUND_WORDS.search(said)):
            skips_schema = self.answer_format is AnswerFormat.BOUNDED_SCHEMA and not _BOUND_WORDS.search(said)
            step = AnswerFormat.JSON_OBJECT if skips_schema else AnswerFormat(self.answer_format + 1)
            learnt = replace(self, answer_format=step)
        return learnt


@dataclass(frozen=True, slots=True)
class ChatDialect:
    """What is believed to work for streamed chats at one endpoint; learnt apart from Dialect, in the same way."""

    renames_max_tokens: bool = False
    takes_temperature: bool = True
    takes_top_p: bool = True
    reports_usage: bool = True

    def parameters(self, *, max_tokens: int, temperature: float, top_p: float) -> dict[str, Any]:
        """Return the part of the request body that depends on the dialect."""
        body: dict[str, Any] = {"max_completion_tokens" if self.renames_max_tokens else "max_tokens": max_tokens}
        if self.takes_temperature:
            body["temperature"] = temperature
        if self.takes_top_p:
            body["top_p"] = top_p
        if self.reports_usage:
            body["stream_options"] = {"include_usage": True}
        return body

    def after_refusal(self, status: int, body: str) -> "ChatDialect | None":
        """Give the dialect to try next, or None when the refusal is about something else; see Dialect."""
        said = body.lower()
        if status not in _PARAMETER_REFUSALS:
            return None
        if not self.renames_max_tokens and _names_tokens(said):
            return replace(self, renames_max_tokens=True)
        # some endpoints take one of these two at a time; of both, the temperature says more
        if self.takes_top_p and "top_p" in said:
            return replace(self, takes_top_p=False)
        if self.takes_temperature and "temperature" in said:
            return replace(self, takes_temperature=False)
        if self.reports_usage and ("stream_options" in said or "include_usage" in said):
            return replace(self, reports_usage=False)
        return None


def _names_tokens(said: str) -> bool:
    # "max_tokens is too large" is about the number, and another name for it would not help
    return bool(_TOKENS_WORDS.search(said)) and "too large" not in said and "at most" not in said
