"""Questions to a language model, answers as checked data: the protocol, and the implementations beside it."""

from memcubed.providers.llm.openai_model import OpenAIModel
from memcubed.providers.llm.protocol import Completion, LanguageModel, TooLongForModelError
from memcubed.providers.llm.scripted import ScriptedCall, ScriptedModel

__all__ = ["Completion", "LanguageModel", "OpenAIModel", "ScriptedCall", "ScriptedModel", "TooLongForModelError"]
