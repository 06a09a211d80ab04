"""The providers that the settings name."""

from collections.abc import Callable
from typing import Final

from memcubed.providers.calls import ProviderCalls, WatchedEmbedder
from memcubed.providers.embeddings import Embedder
from memcubed.providers.embeddings.cached import CachedEmbedder
from memcubed.providers.embeddings.local import LocalEmbedder
from memcubed.providers.embeddings.openai import Endpoint, OpenAIEmbedder
from memcubed.providers.llm.openai_model import OpenAIModel
from memcubed.providers.llm.protocol import LanguageModel
from memcubed.providers.llm.vision import OpenAIVision, VisionModel
from memcubed.providers.rerank import HttpReranker, RerankEndpoint, Reranker
from memcubed.settings import Settings

OPENAI_BASE_URL: Final = "https://api.openai.com/v1"
DEFAULT_RERANKER: Final = "reranker"
"""What answers call a reranker that the settings do not name."""


def create_embedder(
    settings: Settings,
    on_tokens: Callable[[str, int], None] | None = None,
    calls: ProviderCalls | None = None,
) -> Embedder:
    """The embedding model that the settings name; `on_tokens` is told what an endpoint's calls cost.

    `calls` watches those of an endpoint.
    """
    if settings.embedding_base_url is None or settings.embedding_model is None:
        return CachedEmbedder(LocalEmbedder(), size=settings.embedding_cache_size)
    key = settings.embedding_api_key
    endpoint = Endpoint(
        base_url=settings.embedding_base_url,
        model=settings.embedding_model,
        api_key=None if key is None else key.get_secret_value(),
        timeout=settings.embedding_timeout_seconds,
    )
    remote = OpenAIEmbedder(
        endpoint,
        dimensions=settings.embedding_dimensions,
        query_prefix=settings.embedding_query_prefix,
        document_prefix=settings.embedding_document_prefix,
        on_tokens=on_tokens,
    )
    watched = remote if calls is None else WatchedEmbedder(remote, calls)
    return CachedEmbedder(watched, size=settings.embedding_cache_size)


def create_model(settings: Settings) -> LanguageModel | None:
    """The language model that the settings name, if any."""
    if settings.llm_model is None:
        return None
    key = settings.llm_api_key
    return OpenAIModel(
        base_url=settings.llm_base_url or OPENAI_BASE_URL,
        api_key=None if key is None else key.get_secret_value(),
        model=settings.llm_model,
        timeout=settings.llm_timeout_seconds,
        stream_timeout=settings.llm_stream_seconds,
    )


def create_vision_model(settings: Settings) -> VisionModel | None:
    """The vision model that the settings name, if any. A key goes only to the endpoint that it was given for."""
    if settings.vision_model is None:
        return None
    key = settings.vision_api_key
    if key is None and settings.vision_base_url is None:
        key = settings.llm_api_key
    return OpenAIVision(
        base_url=settings.vision_base_url or settings.llm_base_url or OPENAI_BASE_URL,
        api_key=None if key is None else key.get_secret_value(),
        model=settings.vision_model,
        timeout=settings.llm_timeout_seconds,
    )


def create_reranker(settings: Settings, *, timeout: float) -> Reranker | None:
    """The reranker that the settings name, if any. `timeout` is in seconds."""
    if settings.rerank_base_url is None:
        return None
    key = settings.rerank_api_key
    return HttpReranker(
        RerankEndpoint(
            base_url=settings.rerank_base_url,
            model=settings.rerank_model,
            api_key=None if key is None else key.get_secret_value(),
            timeout=timeout,
        )
    )


def create_rewriting_model(settings: Settings) -> LanguageModel | None:
    """The language model for queries, when rewriting is on: it has places of its own, which extraction can't fill."""
    if not settings.query_rewrite or settings.llm_model is None:
        return None
    key = settings.llm_api_key
    return OpenAIModel(
        base_url=settings.llm_base_url or OPENAI_BASE_URL,
        api_key=None if key is None else key.get_secret_value(),
        model=settings.llm_model,
        timeout=settings.query_rewrite_timeout_seconds,
        retries=0,
    )
