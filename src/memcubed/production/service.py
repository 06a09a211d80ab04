"""Production: one task's messages become the memories of one cube."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from memcubed.errors import ProviderError
from memcubed.memories.model import KnownMemory, MemoryKind, MemoryLayer, NewMemory, least_trusted
from memcubed.memories.rewriting import index_text
from memcubed.memories.service import MemoryService
from memcubed.memories.succession import Succession
from memcubed.messages.model import Role, Turn
from memcubed.production.attachments.service import AttachmentService
from memcubed.production.changes import Change, ChangeFinder
from memcubed.production.echo_guard import EchoGuard
from memcubed.production.embedding import EmbeddingService
from memcubed.production.llm.small_talk import has_something_to_read
from memcubed.production.model import STATED_KINDS, Draft, Extraction, ExtractionRequest, Extractor
from memcubed.production.shares import Share, ShareService
from memcubed.profiles.filling import Filling
from memcubed.profiles.service import ProfileService
from memcubed.providers.embeddings import Embedder, Vector
from memcubed.store.session import Database, committing
from memcubed.usage.attribution import PROFILE, purposed

KNOWN_MEMORIES: Final = 10
"""How many of the cube's nearest memories an extractor that reads them is shown."""

_QUERY_CHARACTERS: Final = 2000
_EMBEDDED_AT_ONCE: Final = 32
"""The vectors of more pieces of attachments than this follow in a job of their own."""

_NO_SKILLS: Final = "Skills are distilled only where a language model is configured (MEMCUBED_LLM_MODEL)."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Outcome:
    new: Sequence[NewMemory]
    extraction: Extraction
    fillings: Sequence[Filling]
    notes: Sequence[str]
    changes: Sequence[Change]

    @property
    def unchanged(self) -> list[NewMemory]:
        """What is new and makes nothing outdated."""
        changing = [change.extracted for change in self.changes]
        return [memory for memory in self.new if not any(memory is one for one in changing)]


class ProductionService:
    """Runs the extractor over a task's messages, and ends the task's share with a receipt."""

    def __init__(  # noqa: PLR0913 - everything that production is made of
        self,
        database: Database,
        shares: ShareService,
        memories: MemoryService,
        embedding: EmbeddingService,
        embedder: Embedder,
        extractor: Extractor,
        profiles: ProfileService,
        attachments: AttachmentService,
        *,
        guard: EchoGuard,
    ) -> None:
        self._database = database
        self._shares = shares
        self._memories = memories
        self._embedding = embedding
        self._embedder = embedder
        self._extractor = extractor
        self._profiles = profiles
        self._attachments = attachments
        self._guard = guard
        self._changes = ChangeFinder(database, memories)

    async def run_share(self, project_id: UUID, cube_id: UUID, task_id: UUID, timezone: ZoneInfo) -> bool:
        """Produce the memories of one share; safe to run again at any time.

        True when every memory it stored has its vector. Raises ProviderError when the language model failed.
        No database session is held across a model call.
        """
        work = await self._shares.find_running(project_id, cube_id, task_id)
        if work is None:
            return True
        if self._extractor.uses_model and not _is_small_talk(work.turns):
            await self._embed_raw_turns(project_id, cube_id, task_id)
        attached = await self._attachments.read_all(project_id, cube_id, task_id, work.options.kinds)
        guarded = await self._guard.apply(work)
        work = guarded.share
        known = {memory.id: memory for memory in await self._known(project_id, cube_id, work.turns)}
        known.update((memory.id, memory) for memory in guarded.known)
        extraction = await self._extractor.extract(
            ExtractionRequest(
                turns=tuple(work.turns),
                context=tuple(work.context),
                vocabulary=work.options.tags,
                known=tuple(known.values()),
                timezone=timezone,
                kinds=work.options.kinds,
                tools=work.options.tools,
                owner=work.owner,
            )
        )
        extraction = await guarded.keep_new(extraction)
        fillings = []
        if MemoryKind.PROFILE in work.options.kinds and not _is_small_talk(work.turns):
            with purposed(PROFILE):
                fillings = await self._profiles.propose(project_id, cube_id, work.turns)
        new, are_embedded = await self._embed(extraction.drafts, work.turns)
        pieces, are_pieces_embedded = await self._embed_pieces(attached.memories)
        changes = await self._embed_changes(await self._changes.find(work, new))
        await self._finish(work, _Outcome([*new, *pieces], extraction, fillings, attached.notes, changes))
        return are_embedded and are_pieces_embedded and not fillings

    async def _embed_raw_turns(self, project_id: UUID, cube_id: UUID, task_id: UUID) -> None:
        try:
            await self._embedding.embed_cube(project_id, cube_id, task_id=task_id)
        except ProviderError as error:
            log.warning("raw_turns_found_by_words_only", reason=error.message)

    async def _known(self, project_id: UUID, cube_id: UUID, turns: Sequence[Turn]) -> Sequence[KnownMemory]:
        if not self._extractor.uses_model or not has_something_to_read(turns):
            return ()
        try:
            vector = await self._embedder.embed_query("\n".join(turn.content for turn in turns)[:_QUERY_CHARACTERS])
        except ProviderError as error:
            log.warning("known_memories_not_shown", reason=error.message)
            return ()
        async with self._database.look_up(project_id) as connection:
            nearest = await self._memories.list_nearest(connection, project_id, cube_id, vector, KNOWN_MEMORIES)
        # An event or a tool's use does not say that the facts behind it are known.
        return [memory for memory in nearest if memory.kind in STATED_KINDS]

    async def _embed(self, drafts: Sequence[Draft], turns: Sequence[Turn]) -> tuple[list[NewMemory], bool]:
        texts = [draft.index_text or index_text(draft.key, draft.value) for draft in drafts]
        vectors, are_embedded = await self._vectors(texts)
        new = [_new_memory(*parts, turns) for parts in zip(drafts, texts, vectors, strict=True)]
        return new, are_embedded

    async def _embed_pieces(self, pieces: Sequence[NewMemory]) -> tuple[list[NewMemory], bool]:
        if len(pieces) > _EMBEDDED_AT_ONCE:
            return list(pieces), False
        vectors, are_embedded = await self._vectors([piece.index_text for piece in pieces])
        return [replace(piece, vector=vector) for piece, vector in zip(pieces, vectors, strict=True)], are_embedded

    async def _embed_changes(self, changes: Sequence[Change]) -> list[Change]:
        vectors = iter((await self._vectors([text for change in changes for text in change.texts]))[0])
        return [change.embedded(vectors) for change in changes]

    async def _vectors(self, texts: Sequence[str]) -> tuple[Sequence[Vector | None], bool]:
        try:
            return await self._embedder.embed_documents(texts), True
        except ProviderError as error:
            log.warning("memories_not_embedded_yet", count=len(texts), reason=error.message)
            return [None] * len(texts), False

    async def _finish(self, share: Share, outcome: _Outcome) -> None:
        project_id, cube_id = share.project_id, share.cube_id
        async with self._database.transaction(project_id) as connection:
            if not await self._shares.lock(connection, share):
                return  # another run of this job was faster, or the owner was deleted
            notes = list(outcome.notes)
            corrected = Succession(Counter(), 0, 0)
            for change in outcome.changes:
                corrected += await self._memories.supersede(
                    connection,
                    project_id,
                    cube_id,
                    change.new,
                    change.outdated,
                    share.provenance,
                    extractor=self._extractor.name,
                    reason=f"changed by what the user said (task {share.task_id})",
                )
            notes += [corrected.note] if corrected.note is not None else []
            added = corrected.added + await self._memories.settle(
                connection, project_id, cube_id, outcome.unchanged, share.provenance, extractor=self._extractor.name
            )
            filled = await self._profiles.apply(connection, project_id, cube_id, outcome.fillings, share.task_id)
            if filled:
                added[MemoryKind.PROFILE] += filled
            reason = None
            if not added:
                reason = outcome.extraction.nothing_reason or "Everything said was remembered already."
            if MemoryKind.SKILL in share.options.kinds and not self._extractor.uses_model:
                notes.append(_NO_SKILLS)
            note = "; ".join(notes) or None
            async with committing(connection):
                await self._shares.complete(connection, share, memories=added, reason=reason, note=note)
        log.info(
            "share_completed",
            project_id=str(project_id),
            task_id=str(share.task_id),
            memories={kind.value: count for kind, count in added.items()},
            input_tokens=outcome.extraction.usage.input_tokens,
            output_tokens=outcome.extraction.usage.output_tokens,
        )


def _new_memory(draft: Draft, text: str, vector: Vector | None, turns: Sequence[Turn]) -> NewMemory:
    sources = [turn for turn in turns if turn.message_id in draft.source_ids]
    return NewMemory(
        kind=draft.kind,
        layer=MemoryLayer.USER if draft.kind.is_preference else MemoryLayer.LONG_TERM,
        key=draft.key,
        value=draft.value,
        index_text=text,
        context_text=draft.context_text,
        source_ids=tuple(turn.message_id for turn in sources),
        source_role=least_trusted(turn.role for turn in sources),
        told_at=max(turn.chat_time for turn in sources),
        speaker=_only_speaker(turn.speaker for turn in sources),
        tags=draft.tags,
        reasoning=draft.reasoning,
        confidence=draft.confidence,
        memory_time=draft.memory_time,
        details=draft.details,
        identity=draft.identity,
        vector=vector,
    )


def _is_small_talk(turns: Sequence[Turn]) -> bool:
    """Whether nothing is to be learnt, and no model is worth asking; calls of tools may be more."""
    return not has_something_to_read(turns) and all(turn.role in {Role.USER, Role.ASSISTANT} for turn in turns)


def _only_speaker(speakers: Iterable[str | None]) -> str | None:
    distinct = set(speakers)
    return distinct.pop() if len(distinct) == 1 else None
