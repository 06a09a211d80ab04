"""Questions to a language model, answers as checked data or streamed text: the protocol, and what implements it."""

from memcubed.providers.llm.openai_model import OpenAIModel
from memcubed.providers.llm.protocol import (
    ChatMessage,
    ChatOptions,
    ChatRole,
    Completion,
    DeltaKind,
    LanguageModel,
    TextDelta,
    TextEnd,
    TooLongForModelError,
)
from memcubed.providers.llm.scripted import ScriptedCall, ScriptedChat, ScriptedModel

__all__ = [
    "ChatMessage",
    "ChatOptions",
    "ChatRole",
    "Completion",
    "DeltaKind",
    "LanguageModel",
    "OpenAIModel",
    "ScriptedCall",
    "ScriptedChat",
    "ScriptedModel",
    "TextDelta",
    "TextEnd",
    "TooLongForModelError",
]
