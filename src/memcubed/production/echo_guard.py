"""The guard against learning again what was recalled: the rules are in `echoes`."""

import asyncio
from dataclasses import dataclass, replace

from prometheus_client import CollectorRegistry, Counter

from memcubed.memories.model import KnownMemory
from memcubed.messages.model import DEFAULT_CONVERSATION, Role
from memcubed.production.echoes import REASON, RecalledTexts, keep_new, without_pastes
from memcubed.production.model import Extraction
from memcubed.production.shares import Share
from memcubed.recall.recalled import RecalledMemories
from memcubed.store.cubes import Cube, CubeKind
from memcubed.store.session import Database


@dataclass(frozen=True, slots=True)
class GuardedShare:
    """A share without what was pasted into its messages. `known` are the settled memories that were recalled."""

    share: Share
    known: tuple[KnownMemory, ...]
    recalled: RecalledTexts
    dropped: Counter

    async def keep_new(self, extraction: Extraction) -> Extraction:
        """The extraction without drafts that only say again what was recalled; in a thread, for milliseconds."""
        if not self.recalled:
            return extraction
        drafts = await asyncio.to_thread(keep_new, extraction.drafts, self.share.turns, self.recalled)
        self.dropped.inc(len(extraction.drafts) - len(drafts))
        has_own_words = any(turn.role is Role.USER and turn.content for turn in self.share.turns)
        if drafts or (has_own_words and not extraction.drafts):
            return replace(extraction, drafts=drafts)
        return replace(extraction, drafts=(), nothing_reason=REASON)


class EchoGuard:
    """Holds a share's messages against what was recalled before for those who take part."""

    def __init__(self, database: Database, recalled: RecalledMemories, registry: CollectorRegistry) -> None:
        self._database = database
        self._recalled = recalled
        self._dropped = Counter(
            "memcubed_echoes_dropped", "Drafts that only said again what had been recalled.", registry=registry
        )

    async def apply(self, share: Share) -> GuardedShare:
        """The share as an extractor is to read it."""
        owners = [
            Cube(share.project_id, kind, owner).id
            for owner in share.options.related_ids
            for kind in (CubeKind.USER, CubeKind.AGENT)
        ]
        conversation = share.options.conversation_id
        async with self._database.look_up(share.project_id) as connection:
            found = await self._recalled.list_recalled(
                connection,
                share.project_id,
                list({share.cube_id, *owners}),
                # messages that name no conversation may belong to any
                None if conversation == DEFAULT_CONVERSATION else conversation,
                before_task=share.task_id,
            )
        known = tuple(one.memory for one in found if one.is_settled)
        texts = [text for one in found for text in one.texts]
        return await asyncio.to_thread(_guarded, share, known, texts, self._dropped)


def _guarded(share: Share, known: tuple[KnownMemory, ...], texts: list[str], dropped: Counter) -> GuardedShare:
    recalled = RecalledTexts(texts)
    if recalled:
        share = replace(
            share, turns=without_pastes(share.turns, recalled), context=without_pastes(share.context, recalled)
        )
    return GuardedShare(share, known, recalled, dropped)
