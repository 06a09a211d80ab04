"""What an extractor would remember of messages, without storing anything."""

from collections.abc import Sequence

import structlog

from memcubed.clock import Clock
from memcubed.errors import ProviderError, ServiceUnavailableError
from memcubed.memories.model import MemoryLayer
from memcubed.messages.reading import check_length, read_turns
from memcubed.production.model import Draft, ExtractionRequest, Extractor
from memcubed.production.schemas import ExtractedMemory, ExtractedPreference, ExtractMemoryData, ExtractMemoryRequest
from memcubed.projects.input_limit import InputLimit
from memcubed.projects.model import Project

log = structlog.get_logger(__name__)


class PreviewService:
    """Runs the extractor for the one who asks; the messages and what is found in them are forgotten."""

    def __init__(self, extractor: Extractor, input_limit: InputLimit, clock: Clock, *, max_tokens: int) -> None:
        self._extractor = extractor
        self._input_limit = input_limit
        self._clock = clock
        self._max_tokens = max_tokens

    async def extract(self, project: Project, request: ExtractMemoryRequest) -> ExtractMemoryData:
        """The memories that the messages give. Raises ServiceUnavailableError when the model does not answer."""
        turns = read_turns(request.messages, zone=project.timezone, now=self._clock())
        await self._input_limit.take(project.id, check_length(turns, self._max_tokens))
        asked = ExtractionRequest(turns=tuple(turns), timezone=project.timezone, kinds=request.kinds)
        try:
            extraction = await self._extractor.extract(asked)
        except ProviderError as error:
            log.warning("nothing_extracted", reason=error.message)
            raise ServiceUnavailableError(f"The messages could not be read: {error.message}; try again.") from error
        return _answer(extraction.drafts)


def _answer(drafts: Sequence[Draft]) -> ExtractMemoryData:
    return ExtractMemoryData(
        memory_detail_list=[
            ExtractedMemory(
                memory_key=draft.key,
                memory_value=draft.value,
                memory_type=MemoryLayer.LONG_TERM,
                tags=list(draft.tags),
            )
            for draft in drafts
            if not draft.kind.is_preference
        ],
        preference_detail_list=[
            ExtractedPreference(preference=draft.value, reasoning=draft.reasoning, preference_type=draft.kind)
            for draft in drafts
            if draft.kind.is_preference
        ],
    )
