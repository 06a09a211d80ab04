"""The effect of feedback on one cube: what it denies gives way, what it says is kept, words are replaced."""

from collections import Counter
from collections.abc import Sequence
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.errors import MemcubedError, ProviderError
from memcubed.feedback.correction import find_correction
from memcubed.feedback.model import WEIGHT, FeedbackReader, FeedbackRequest, Reading
from memcubed.feedback.replacement import Replacement
from memcubed.memories.model import MemoryKind, MemoryLayer, MemoryStatus, NewMemory, SourceRole, StoredMemory
from memcubed.memories.rewriting import Rewrite, index_text
from memcubed.memories.service import MemoryService
from memcubed.memories.succession import Outdated
from memcubed.messages.model import Turn
from memcubed.production.model import Draft
from memcubed.production.shares import Share, ShareService
from memcubed.providers.embeddings import Embedder, Vector
from memcubed.store.cubes import CubeKind, find_kind
from memcubed.store.session import Database

RUN_FEEDBACK: Final = "feedback.run_share"
"""The name of the job that runs a share of feedback."""

NEAREST: Final = 20
"""How many of the cube's nearest memories feedback is held against."""

CARRYING: Final = 200
"""How many memories that have a denied value in them, likewise."""

MOST_REPLACED: Final = 100_000
_QUERY_CHARACTERS: Final = 2000
_BATCH: Final = 64
_NOTHING_TO_CORRECT: Final = "Nothing here says what the feedback corrects."
_NONE_GAVE_WAY: Final = "Remembered; no memory was recognised as corrected by it."

log = structlog.get_logger(__name__)


class FeedbackEffect:
    """Runs the shares of feedback; safe to run again at any time."""

    def __init__(
        self,
        database: Database,
        shares: ShareService,
        memories: MemoryService,
        embedder: Embedder,
        reader: FeedbackReader,
    ) -> None:
        self._database = database
        self._shares = shares
        self._memories = memories
        self._embedder = embedder
        self._reader = reader

    async def run_share(self, project_id: UUID, cube_id: UUID, task_id: UUID, timezone: ZoneInfo) -> bool:
        """Let feedback take effect in one cube; True when all that it changed has vectors.

        Raises ProviderError when a model failed. No database session is held across a model call.
        """
        share = await self._shares.find_running(project_id, cube_id, task_id)
        if share is None or not share.turns:
            return True
        turn = share.turns[0]
        known = await self._known(share, turn)
        reading = await self._reader.read(FeedbackRequest(turn, share.context, known, timezone))
        if reading.replacement is not None:
            return await self._replace(share, reading.replacement)
        if reading.forgotten is not None:
            await self._forget(share, [memory for memory in known if memory.id in reading.forgotten])
            return True
        return await self._correct(share, turn, known, reading)

    async def _known(self, share: Share, turn: Turn) -> list[StoredMemory]:
        """The memories that feedback may be about: the nearest ones, and those that hold the value it denies."""
        vector = await self._embedder.embed_query(turn.content[:_QUERY_CHARACTERS])
        correction = find_correction(turn.content)
        async with self._database.transaction(share.project_id) as connection:
            nearest = await self._memories.list_nearest(connection, share.project_id, share.cube_id, vector, NEAREST)
            found = await self._memories.list_by_id(connection, share.project_id, [one.id for one in nearest])
            order = {one.id: place for place, one in enumerate(nearest)}
            known = {memory.id: memory for memory in sorted(found, key=lambda memory: order[memory.id])}
            if correction is not None and correction.old:
                carrying = await self._memories.list_carrying(
                    connection, share.project_id, share.cube_id, correction.probe, CARRYING
                )
                known.update({memory.id: memory for memory, _ in carrying if memory.layer is not MemoryLayer.WORKING})
        return list(known.values())

    async def _correct(self, share: Share, turn: Turn, known: Sequence[StoredMemory], reading: Reading) -> bool:
        by_id = {memory.id: memory for memory in known}
        outdated = [Outdated(by_id[one.memory_id], one.remainder) for one in reading.denied if one.memory_id in by_id]
        texts = [_text(draft) for draft in reading.drafts]
        texts += [index_text(one.memory.key, one.remainder) for one in outdated if one.remainder is not None]
        vectors = iter(await self._embed(texts))
        new = [_new_memory(draft, turn, next(vectors)) for draft in reading.drafts]
        outdated = [
            one if one.remainder is None else Outdated(one.memory, one.remainder, next(vectors)) for one in outdated
        ]
        async with self._database.transaction(share.project_id) as connection:
            if not await self._shares.lock(connection, share):
                return True
            if not new or (not outdated and await self._only_corrects(connection, share)):
                await self._end(connection, share, reading.nothing_reason or _NOTHING_TO_CORRECT)
                return True
            await self._store(connection, share, new, outdated)
        return all(memory.vector is not None for memory in new)

    async def _store(
        self, connection: AsyncConnection, share: Share, new: Sequence[NewMemory], outdated: Sequence[Outdated]
    ) -> None:
        reason = f"corrected by feedback (task {share.task_id})"
        place = (connection, share.project_id, share.cube_id)
        name = self._reader.name
        done = await self._memories.supersede(*place, new[0], outdated, share.provenance, extractor=name, reason=reason)
        added: Counter[MemoryKind] = Counter(done.added)
        if len(new) > 1:
            added += await self._memories.settle(*place, new[1:], share.provenance, extractor=name)
        reason_for_nothing = None if added else "What the feedback says was remembered already."
        note = done.note or (_NONE_GAVE_WAY if added else None)
        await self._shares.complete(connection, share, memories=added, reason=reason_for_nothing, note=note)
        log.info(
            "feedback_took_effect",
            project_id=str(share.project_id),
            task_id=str(share.task_id),
            archived=done.archived,
            shortened=done.shortened,
        )

    async def _only_corrects(self, connection: AsyncConnection, share: Share) -> bool:
        """Whether the cube is of a kind that feedback corrects but tells nothing new: a knowledge base."""
        return await find_kind(connection, share.project_id, share.cube_id) is CubeKind.KNOWLEDGE_BASE

    async def _replace(self, share: Share, replacement: Replacement) -> bool:
        async with self._database.transaction(share.project_id) as connection:
            carrying = await self._memories.list_carrying(
                connection, share.project_id, share.cube_id, replacement.old.split()[0], MOST_REPLACED
            )
        asked_in = {turn.message_id for turn in share.turns}
        changes = [
            (memory, change)
            for memory, text in carrying
            if asked_in.isdisjoint(source.message_id for source in memory.sources)
            and (change := _replaced(memory, text, replacement)) is not None
        ]
        vectors = await self._embed([change.index_text or "" for _, change in changes])
        reason = f"replaced by feedback (task {share.task_id})"
        async with self._database.transaction(share.project_id) as connection:
            if not await self._shares.lock(connection, share):
                return True
            for (memory, change), vector in zip(changes, vectors, strict=True):
                done = await self._memories.rewrite(
                    connection, memory, change, project_id=share.project_id, reason=reason, vector=vector
                )
                if not done:
                    raise MemcubedError("A memory was changed while words were replaced in it.")  # tried again
            await self._memories.archive_coarse(connection, share.project_id, share.cube_id, share.task_id)
            await self._shares.complete(
                connection, share, memories={}, reason=None, note=_told_of_replacement(replacement, len(changes))
            )
        log.info("words_replaced", project_id=str(share.project_id), task_id=str(share.task_id), memories=len(changes))
        return all(vector is not None for vector in vectors)

    async def _forget(self, share: Share, meant: Sequence[StoredMemory]) -> None:
        reason = f"forgotten at the word of feedback (task {share.task_id})"
        async with self._database.transaction(share.project_id) as connection:
            if not await self._shares.lock(connection, share):
                return
            if await self._only_corrects(connection, share):
                await self._end(connection, share, _NOTHING_TO_CORRECT)
                return
            for memory in sorted(meant, key=lambda one: one.id):
                gone = Rewrite(status=MemoryStatus.ARCHIVED)
                done = await self._memories.rewrite(
                    connection, memory, gone, project_id=share.project_id, reason=reason
                )
                if not done:
                    raise MemcubedError("A memory was changed while it was to be forgotten.")  # tried again
            await self._end(connection, share, _told_of_forgetting(len(meant)))

    async def _end(self, connection: AsyncConnection, share: Share, reason: str) -> None:
        """Nothing came of it: the share ends with the reason."""
        await self._memories.archive_coarse(connection, share.project_id, share.cube_id, share.task_id)
        await self._shares.complete(connection, share, memories={}, reason=reason)

    async def _embed(self, texts: Sequence[str]) -> list[Vector | None]:
        vectors: list[Vector | None] = []
        try:
            for start in range(0, len(texts), _BATCH):
                vectors += await self._embedder.embed_documents(texts[start : start + _BATCH])
        except ProviderError as error:
            log.warning("memories_not_embedded_yet", count=len(texts), reason=error.message)
            return [None] * len(texts)
        return vectors


def _replaced(memory: StoredMemory, text: str, replacement: Replacement) -> Rewrite | None:
    """What a memory becomes; None when the word stands in none of its texts."""
    apply = replacement.apply
    tags = tuple(dict.fromkeys(apply(tag) for tag in memory.tags))
    details = {name: _deeply(value, replacement) for name, value in memory.details.items()}
    before = (memory.key, memory.value, memory.reasoning, text, memory.tags, dict(memory.details))
    after = (apply(memory.key), apply(memory.value), apply(memory.reasoning), apply(text), tags, details)
    if after == before:
        return None
    return Rewrite(key=after[0], value=after[1], reasoning=after[2], index_text=after[3], tags=tags, details=details)


def _deeply(value: JsonValue, replacement: Replacement) -> JsonValue:
    match value:
        case str():
            return replacement.apply(value)
        case list():
            return [_deeply(item, replacement) for item in value]
        case dict():
            return {name: _deeply(item, replacement) for name, item in value.items()}
        case _:
            return value


def _text(draft: Draft) -> str:
    return draft.index_text or index_text(draft.key, draft.value)


def _new_memory(draft: Draft, turn: Turn, vector: Vector | None) -> NewMemory:
    return NewMemory(
        kind=draft.kind,
        layer=MemoryLayer.USER if draft.kind.is_preference else MemoryLayer.LONG_TERM,
        key=draft.key,
        value=draft.value,
        index_text=_text(draft),
        context_text=draft.context_text,
        source_ids=(turn.message_id,),
        source_role=SourceRole.FEEDBACK,
        told_at=turn.chat_time,
        weight=WEIGHT,
        tags=draft.tags,
        reasoning=draft.reasoning,
        confidence=draft.confidence,
        memory_time=draft.memory_time,
        vector=vector,
    )


def _told_of_forgetting(count: int) -> str:
    if count == 0:
        return "No memory says what is to be forgotten."
    return f"Forgot {count} {'memory' if count == 1 else 'memories'}."


def _told_of_replacement(replacement: Replacement, count: int) -> str:
    if count == 0:
        return f"No memory has the word “{replacement.old}”."
    return f"Replaced “{replacement.old}” with “{replacement.new}” in {count} {'memory' if count == 1 else 'memories'}."
