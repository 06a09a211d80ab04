"""Texts to vectors: the protocol, and the implementations beside it."""

from memcubed.providers.embeddings.protocol import Embedder, Vector

__all__ = ["Embedder", "Vector"]
