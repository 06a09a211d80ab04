"""What an agent said, for the agent's own memory."""

import asyncio

from memcubed.memories.model import MemoryKind
from memcubed.messages.model import Role
from memcubed.production.local.exchanges import read
from memcubed.production.local.facts import reply_facts
from memcubed.production.model import Draft, Extraction, ExtractionRequest


class AgentWordsReader:
    """Quotes an agent's replies where the agent owns the memories.

    Beside an extractor that asks a language model: that one remembers what users tell of themselves, whoever asks.
    """

    async def read(self, request: ExtractionRequest) -> Extraction:
        """The facts that the agent told in the request's turns."""
        if request.owner is None or not request.owner.is_agent or MemoryKind.FACT not in request.kinds:
            return Extraction(())
        return Extraction(await asyncio.to_thread(_replies, request))


def _replies(request: ExtractionRequest) -> tuple[Draft, ...]:
    conversation = read(request)
    own = [place for place in conversation.places if place.new and place.turn.role is Role.ASSISTANT]
    return tuple(draft for place in own for draft in reply_facts(place, conversation, request.vocabulary))
