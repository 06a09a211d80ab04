"""Recall: a query and the few memories that matter for it.

Nothing here waits for a language model or a reranker, unless the operator turns those on.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np
import structlog

from memcubed.clock import Clock
from memcubed.errors import ProviderError
from memcubed.filters import parse_filter
from memcubed.language.detect import detect
from memcubed.language.words import query_tokens
from memcubed.memories.model import MemoryKind, MemoryView, StoredMemory
from memcubed.memories.notes import preference_note
from memcubed.memories.schemas import (
    AnyDetail,
    MemoryDetail,
    SourceDetail,
    event_detail,
    fact_detail,
    preference_detail,
    profile_detail,
    skill_detail,
    tool_memory_detail,
)
from memcubed.projects.input_limit import CallLimit
from memcubed.projects.model import Project
from memcubed.providers.embeddings import Embedder, Vector
from memcubed.recall.calibration import Ranked, relativities
from memcubed.recall.calibrations import CalibrationService
from memcubed.recall.cube_search import CubeSearch
from memcubed.recall.diversity import diversify
from memcubed.recall.echoes import without_echoes
from memcubed.recall.folding import Folded, fold
from memcubed.recall.model import Calibration, Candidate, Found
from memcubed.recall.question import Question
from memcubed.recall.ranking import Weights, rank
from memcubed.recall.recalled import RecalledMemories
from memcubed.recall.reranking import Reranking
from memcubed.recall.rewriting import QueryRewriter, blend
from memcubed.recall.schemas import MAX_LIMIT, SearchData, SearchRequest, TraceDetail
from memcubed.recall.scope import owner_cubes
from memcubed.recall.stages import SearchStages, Stage

log = structlog.get_logger(__name__)


class RecallService:
    """Searches the memories of a user or an agent, with the project's public ones and the knowledge bases asked for.

    `rewriter` and `reranking` are left out of requests that name arms: those are to see what an arm does alone.
    """

    def __init__(  # noqa: PLR0913 - everything that recall is made of
        self,
        cubes: CubeSearch,
        embedder: Embedder,
        calibrations: CalibrationService,
        query_limit: CallLimit,
        clock: Clock,
        stages: SearchStages,
        recalled: RecalledMemories,
        *,
        rewriter: QueryRewriter | None = None,
        reranking: Reranking | None = None,
    ) -> None:
        self._cubes = cubes
        self._embedder = embedder
        self._calibrations = calibrations
        self._query_limit = query_limit
        self._clock = clock
        self._rewriter = rewriter
        self._reranking = reranking
        self._recalled = recalled
        self._stages = stages

    async def search(self, project: Project, request: SearchRequest) -> SearchData:
        """The most relevant facts and preferences. When the embedding model fails, words alone decide."""
        now = self._clock()
        filters = parse_filter(request.filter, zone=project.timezone, now=now)
        scope = await self._cubes.scope(project.id, request, filters)
        await self._query_limit.take(project.id, request.query, "query")
        calibration = self._calibrations.current()
        weights = Weights.of(request.arms).calibrated(calibration)
        question = Question.read(request.query, now.astimezone(project.timezone))
        if request.user_id is None:  # an agent's own memory: what it said counts as much as what it was told
            question = replace(question, asks_assistant=True)
        texts = await self._search_texts(request)
        with self._stages.watch(Stage.EMBEDDING):
            vectors = [vector for vector in await asyncio.gather(*map(self._embed, texts)) if vector is not None]
            vector = blend(vectors) if vectors else None
        with self._stages.watch(Stage.SQL):
            found = await self._cubes.find(
                scope,
                request.kinds,
                vector=vector,
                space="" if vector is None else self._embedder.space,
                terms=query_tokens("\n".join(texts)),
                weights=weights,
            )
        with self._stages.watch(Stage.RANKING):
            if vector is None:
                found = _by_words_alone(found, calibration)
            else:
                found = await self._with_pending(found, vector)
            found = without_echoes(found, [cube.id for cubes in scope.values() for cube in cubes])
            scored = diversify(rank(found, question, weights, conversation_id=request.conversation_id))
            ranked = relativities(scored, question, calibration, size=found.size)
        ranked = await self._rerank(request, ranked)
        with self._stages.watch(Stage.FOLDING):
            data = _answer(request, ranked)
        if request.arms is None:  # nobody answers a user from one arm alone
            owners = owner_cubes(project.id, request)
            self._recalled.note(project.id, [cube.id for cube in owners], request.conversation_id, _ids(data))
        return data

    async def _search_texts(self, request: SearchRequest) -> list[str]:
        """The query, and where that is turned on what it comes to in the words of memories."""
        if self._rewriter is None or request.arms is not None:
            return [request.query]
        with self._stages.watch(Stage.REWRITING):
            rewritten = await self._rewriter.rewrite(request.query)
        return [request.query] if rewritten is None else [request.query, rewritten]

    async def _rerank(self, request: SearchRequest, ranked: list[Ranked]) -> list[Ranked]:
        if self._reranking is None or request.arms is not None:
            return ranked
        with self._stages.watch(Stage.RERANKING):
            return await self._reranking.apply(request.query, ranked)

    async def _embed(self, query: str) -> Vector | None:
        try:
            return await self._embedder.embed_query(query)
        except ProviderError as error:
            log.warning("search_by_words_only", reason=error.message)
            return None

    async def _with_pending(self, found: Found, query: Vector) -> Found:
        """Score what is so new that its vectors are still to come."""
        pending = [candidate for candidate in found.candidates if candidate.cosine is None]
        if not pending:
            return found
        try:
            vectors = await self._embedder.embed_documents([candidate.value for candidate in pending])
        except ProviderError as error:
            log.warning("pending_turns_by_words_only", reason=error.message)
            return found
        cosines = {one.id: float(np.dot(vector, query)) for one, vector in zip(pending, vectors, strict=True)}
        return replace(found, candidates=tuple(_scored(candidate, cosines) for candidate in found.candidates))


def _by_words_alone(found: Found, calibration: Calibration) -> Found:
    """What shares a word with the query, as if each were just near enough to be relevant."""
    cosine = calibration.shift + calibration.middle / calibration.gain
    sharing = tuple(replace(one, cosine=cosine) for one in found.candidates if one.lexical > 0)
    return replace(found, candidates=sharing, size=0)


def _scored(candidate: Candidate, cosines: dict[UUID, float]) -> Candidate:
    cosine = cosines.get(candidate.id)
    return candidate if cosine is None else replace(candidate, cosine=cosine)


def _answer(request: SearchRequest, ranked: Sequence[Ranked]) -> SearchData:
    relevant = [one for one in ranked if one.relativity >= request.relativity]

    def best(view: MemoryView, limit: int) -> list[tuple[StoredMemory, float]]:
        of_kind = [one for one in relevant if one.scored.candidate.kind in view.kinds]
        return [(one.scored.candidate, one.relativity) for one in of_kind[:limit]]

    facts = [one for one in relevant if one.scored.candidate.kind is MemoryKind.FACT]
    preferences = best(MemoryView.PREFERENCE, request.preference_limit_number)
    tools = best(MemoryView.TOOL_MEMORY, request.tool_memory_limit_number)
    return SearchData(
        memory_detail_list=[_fact(one) for one in fold(facts, request.memory_limit_number)],
        preference_detail_list=[preference_detail(*one) for one in preferences],
        tool_memory_detail_list=[tool_memory_detail(*one) for one in tools],
        skill_detail_list=[skill_detail(*one) for one in best(MemoryView.SKILL, request.skill_limit_number)],
        event_detail_list=[event_detail(*one) for one in best(MemoryView.EVENT, request.memory_limit_number)],
        profile_detail_list=[profile_detail(*one) for one in best(MemoryView.PROFILE, MAX_LIMIT)],
        preference_note=preference_note(detect(request.query)) if preferences else "",
        trace=[_trace(one) for one in ranked] if request.trace else None,
    )


def _ids(data: SearchData) -> set[UUID]:
    """Every memory whose text an answer holds."""
    details: list[AnyDetail] = [
        *data.memory_detail_list,
        *data.preference_detail_list,
        *data.tool_memory_detail_list,
        *data.skill_detail_list,
        *data.event_detail_list,
        *data.profile_detail_list,
    ]
    folded = [id_ for fact in data.memory_detail_list for id_ in fact.folded_ids or []]
    return {UUID(id_) for id_ in (*(one.id for one in details), *folded)}


def _fact(folded: Folded) -> MemoryDetail:
    memory = folded.best.scored.candidate
    others = [str(member.id) for member in folded.members if member.id != memory.id]
    sources = {source.message_id: source for member in folded.members for source in member.sources}
    return fact_detail(memory, folded.best.relativity).model_copy(
        update={
            "memory_value": folded.value,
            "sources": [SourceDetail.of(source) for source in sources.values()],
            "folded_ids": others or None,
        }
    )


def _trace(ranked: Ranked) -> TraceDetail:
    return TraceDetail(
        id=str(ranked.scored.candidate.id),
        score=round(ranked.scored.score, 4),
        relativity=ranked.relativity,
        parts={name: round(value, 4) for name, value in ranked.scored.parts.items()},
    )
