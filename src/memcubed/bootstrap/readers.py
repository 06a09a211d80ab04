"""What reads for the service, as the settings have it: extractors, files, URLs; and where its traces go."""

from importlib.metadata import version

from memcubed.documents import DocumentParser, ParserLimits
from memcubed.documents.fetch import Fetcher
from memcubed.errors import ConfigurationError, ProviderError
from memcubed.production.agent_words import AgentWordsReader
from memcubed.production.events import LlmEventReader, LocalEventReader
from memcubed.production.joined import JoinedExtractor
from memcubed.production.llm import LlmExtractor
from memcubed.production.local import LocalExtractor
from memcubed.production.model import Extractor
from memcubed.production.tools import ToolReader
from memcubed.providers.embeddings import Embedder
from memcubed.providers.llm.protocol import LanguageModel
from memcubed.settings import Settings
from memcubed.tracing import NoTracing, Tracing


def create_fetcher(settings: Settings, tracing: Tracing) -> Fetcher:
    """What fetches the URLs that requests give."""
    return Fetcher(
        enabled=settings.fetch_urls,
        max_bytes=settings.fetch_max_bytes,
        timeout_seconds=settings.fetch_timeout_seconds,
        allowed_hosts=settings.fetch_allowed_hosts.split(","),
        tracing=tracing,
    )


def create_extractor(settings: Settings, model: LanguageModel | None) -> Extractor:
    """The LLM extractor when there is a model, else the local one; beside either the readers of other kinds."""
    if model is None:
        return JoinedExtractor(LocalExtractor(), [LocalEventReader(), ToolReader()])
    extractor = LlmExtractor(
        model, window_tokens=settings.llm_window_tokens, max_answer_tokens=settings.llm_max_answer_tokens
    )
    events = LlmEventReader(
        model, window_tokens=settings.llm_window_tokens, max_answer_tokens=settings.llm_max_answer_tokens
    )
    return JoinedExtractor(extractor, [AgentWordsReader(), events, ToolReader(model)])


def create_parser(settings: Settings, tracing: Tracing) -> DocumentParser:
    """The reader of documents, with the limits that the settings give."""
    return DocumentParser(
        ParserLimits(
            bytes=settings.document_max_bytes,
            pages=settings.document_max_pages,
            characters=settings.document_max_characters,
            seconds=settings.document_timeout_seconds,
            memory_bytes=settings.document_memory_mb * 1_000_000,
        ),
        tracing=tracing,
    )


def embeddings_name(embedder: Embedder) -> str:
    """The vector space in use, or that it is not known yet."""
    try:
        return embedder.space
    except ProviderError:
        return "not answering yet"


def create_tracing(settings: Settings) -> Tracing:
    """Where spans go; OpenTelemetry is imported only where it is asked for. Raises ConfigurationError without it."""
    if settings.otlp_endpoint is None:
        return NoTracing()
    try:
        from memcubed.otel import OtelTracing  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise ConfigurationError(
            "MEMCUBED_OTLP_ENDPOINT is set, but OpenTelemetry is not installed: pip install 'memcubed[otel]'."
        ) from error
    return OtelTracing(settings.otlp_endpoint, version=version("memcubed"))
