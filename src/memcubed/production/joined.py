"""An extractor with readers beside it, each for kinds of memory that it does not make."""

from collections.abc import Sequence
from typing import Protocol

from memcubed.production.model import Extraction, ExtractionRequest, Extractor


class Reader(Protocol):
    """Reads memories of some kinds out of messages. Raises ProviderError when the model behind it fails."""

    async def read(self, request: ExtractionRequest) -> Extraction:
        """Read the request's turns once; nothing when none of its kinds is asked for."""
        ...


class JoinedExtractor:
    """Implements Extractor: what the extractor finds, then what each reader finds."""

    def __init__(self, extractor: Extractor, readers: Sequence[Reader]) -> None:
        self._extractor = extractor
        self._readers = readers

    @property
    def name(self) -> str:
        """Name the extractor."""
        return self._extractor.name

    @property
    def uses_model(self) -> bool:
        """Whether the extractor waits for a model."""
        return self._extractor.uses_model

    async def extract(self, request: ExtractionRequest) -> Extraction:
        """Read the request's turns once; the reason for nothing is the extractor's."""
        extraction = await self._extractor.extract(request)
        drafts, usage = extraction.drafts, extraction.usage
        for reader in self._readers:
            more = await reader.read(request)
            drafts, usage = drafts + more.drafts, usage + more.usage
        return Extraction(drafts, None if drafts else extraction.nothing_reason, usage)
