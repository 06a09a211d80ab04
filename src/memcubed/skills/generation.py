"""Skills distilled from several similar tasks of one owner."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID, uuid5

import structlog

from memcubed.contract.links import skill_path
from memcubed.errors import ProviderError
from memcubed.memories.model import MemoryKind, MemoryLayer, NewMemory, Provenance, least_trusted
from memcubed.memories.rewriting import index_text
from memcubed.memories.schemas import SkillValue
from memcubed.memories.service import MemoryService
from memcubed.messages.model import redacted_if_asked
from memcubed.providers.embeddings import Embedder
from memcubed.recall.calibration import relativity
from memcubed.recall.calibrations import CalibrationService
from memcubed.skills.distilling import MAX_EPISODES, Distiller
from memcubed.skills.grouping import group
from memcubed.skills.model import Episode
from memcubed.skills.repository import SkillRepository
from memcubed.store.session import Database
from memcubed.usage.service import UsageService

GENERATED: Final = "generated"
MIN_EPISODES: Final = 3
"""So many similar tasks are needed: fewer may be alike by chance."""

_LEAST_RELATIVITY: Final = 0.9
_REQUEST_CHARACTERS: Final = 500
_CONFIDENCE: Final = 0.8

log = structlog.get_logger(__name__)

EnqueueEmbedding = Callable[[UUID, UUID], Awaitable[None]]


class SkillGenerator:
    """Distils skills where something new was asked for; without a language model (`distiller` None) it does nothing."""

    def __init__(
        self,
        database: Database,
        memories: MemoryService,
        embedder: Embedder,
        calibrations: CalibrationService,
        distiller: Distiller | None,
        enqueue_embedding: EnqueueEmbedding,
        usage: UsageService,
    ) -> None:
        self._database = database
        self._memories = memories
        self._embedder = embedder
        self._calibrations = calibrations
        self._distiller = distiller
        self._enqueue_embedding = enqueue_embedding
        self._usage = usage

    async def list_changed_cubes(self, project_id: UUID) -> list[UUID]:
        """The cubes of a project that have something to distil from since the last time."""
        if self._distiller is None:
            return []
        async with self._database.transaction(project_id) as connection:
            return await SkillRepository(connection, project_id).list_changed_cubes()

    async def distil_cube(self, project_id: UUID, cube_id: UUID) -> int:
        """Make or renew the skills of a cube's groups of similar tasks that have a new one; how many.

        Safe to run again: a group's skill has an id of its own, and nothing new means no model call. Of a group whose
        answers are of no use nothing is made until it has something new. Raises ProviderError when the model is away,
        and then nothing is changed. No database session is held across a model call.
        """
        if self._distiller is None:
            return 0
        async with self._database.transaction(project_id) as connection:
            episodes, newest = await SkillRepository(connection, project_id).list_episodes(cube_id)
        episodes = [replace(episode, turns=tuple(await redacted_if_asked(episode.turns))) for episode in episodes]
        asked = [episode for episode in episodes if episode.request]
        if newest is None or not any(episode.is_new for episode in episodes):
            return 0
        made: list[tuple[Sequence[Episode], SkillValue]] = []
        for similar in await self._groups(asked):
            try:
                skill = await self._distiller.distil(similar)
            except ProviderError as error:
                if error.retryable and not error.input_tokens:
                    raise  # the endpoint is away; what it answered and is of no use is not paid for every hour
                log.warning("skill_not_distilled", cube_id=str(cube_id), reason=error.message)
                continue
            if skill is not None:
                made.append((similar, skill))
        async with self._database.transaction(project_id) as connection:
            repository = SkillRepository(connection, project_id)
            if not await repository.lock_cube(cube_id):
                return 0  # its owner was deleted meanwhile
            for tasks, skill in made:
                await self._memories.put(
                    connection,
                    project_id,
                    cube_id,
                    _memory(cube_id, tasks, skill),
                    Provenance(task_id=None, conversation_id=tasks[-1].conversation_id),
                    extractor=self._distiller.name,
                )
            await repository.set_seen(cube_id, newest)
        if made:
            self._usage.add_memories(project_id, None, {MemoryKind.SKILL: len(made)})
            await self._enqueue_embedding(project_id, cube_id)
        log.info("skills_distilled", project_id=str(project_id), cube_id=str(cube_id), skills=len(made))
        return len(made)

    async def _groups(self, episodes: Sequence[Episode]) -> list[list[Episode]]:
        """The groups that are large enough and have something new."""
        if len(episodes) < MIN_EPISODES:
            return []
        vectors = await self._embedder.embed_documents([episode.request[:_REQUEST_CHARACTERS] for episode in episodes])
        calibration = self._calibrations.current()
        groups = group(episodes, vectors, lambda score: relativity(score, calibration) >= _LEAST_RELATIVITY)
        return [one for one in groups if len(one) >= MIN_EPISODES and any(episode.is_new for episode in one)]


def _memory(cube_id: UUID, similar: Sequence[Episode], skill: SkillValue) -> NewMemory:
    memory_id = uuid5(cube_id, f"skill:{similar[0].key}")
    shown = similar[-MAX_EPISODES:]
    turns = [turn for episode in shown for turn in episode.turns]
    return NewMemory(
        id=memory_id,
        kind=MemoryKind.SKILL,
        layer=MemoryLayer.LONG_TERM,
        key=skill.name,
        value=skill.description,
        index_text=index_text(skill.name, skill.description),
        context_text=skill.procedure,
        source_ids=tuple(episode.turns[0].message_id for episode in shown),
        source_role=least_trusted(turn.role for turn in turns),
        told_at=max(turn.chat_time for turn in turns),
        confidence=_CONFIDENCE,
        details={"skill": skill.model_dump(mode="json"), "url": skill_path(memory_id), "type": GENERATED},
    )
