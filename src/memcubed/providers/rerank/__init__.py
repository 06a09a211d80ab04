"""How well texts answer a query: the protocol, and the implementations beside it."""

from memcubed.providers.rerank.http_reranker import HttpReranker, RerankEndpoint
from memcubed.providers.rerank.protocol import Reranker
from memcubed.providers.rerank.scripted import ScriptedReranker

__all__ = ["HttpReranker", "RerankEndpoint", "Reranker", "ScriptedReranker"]
