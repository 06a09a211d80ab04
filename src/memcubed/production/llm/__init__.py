"""Extraction by a language model: versioned prompts, and guards over what comes back."""

from memcubed.production.llm.extractor import LlmExtractor

__all__ = ["LlmExtractor"]
