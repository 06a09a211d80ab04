"""The local extractor: rules for Chinese and English, and no model."""

from memcubed.production.local.extractor import LocalExtractor

__all__ = ["LocalExtractor"]
