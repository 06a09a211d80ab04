"""Examining every project, and putting in order what can be."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import structlog

from memcubed.doctor.model import Check, Diagnosis, Report
from memcubed.doctor.repository import DoctorRepository
from memcubed.errors import NotFoundError, ProviderError
from memcubed.knowledge.service import KnowledgeService
from memcubed.production.tasks import TaskService
from memcubed.projects.model import Project
from memcubed.projects.service import ProjectService
from memcubed.providers.embeddings import Embedder
from memcubed.store.session import Database
from memcubed.usage.service import UsageService

_OF_VECTORS: Final = frozenset({Check.UNEMBEDDED_MEMORIES, Check.OLD_VECTORS})

EnqueueEmbedding = Callable[[UUID, UUID], Awaitable[None]]
"""Puts a job on the queue that gives a cube's memories their missing vectors."""

log = structlog.get_logger(__name__)


class DoctorService:
    """Reconciles what was accepted with what became of it, one project a transaction."""

    def __init__(
        self,
        database: Database,
        projects: ProjectService,
        tasks: TaskService,
        knowledge: KnowledgeService,
        usage: UsageService,
        embedder: Embedder,
        enqueue_embedding: EnqueueEmbedding,
    ) -> None:
        self._database = database
        self._projects = projects
        self._tasks = tasks
        self._knowledge = knowledge
        self._usage = usage
        self._embedder = embedder
        self._enqueue_embedding = enqueue_embedding

    async def examine(self, project_name: str | None = None, *, repair: bool = False) -> Report:
        """How every project stands, or the one of this name; with `repair`, after putting in order what can be.

        Work that is put back on the queue is done by the workers: examine again when the queue is empty.
        """
        projects = [one for one in await self._projects.list_projects() if project_name in (None, one.name)]
        if project_name is not None and not projects:
            raise NotFoundError(f"There is no project named {project_name!r}.")
        space = await self._space()
        diagnoses = [await self._examine(project, space, repair=repair) for project in projects]
        async with self._database.transaction(None) as connection:
            queue = await DoctorRepository(connection, UUID(int=0), space).queue_state()
        return Report(tuple(diagnoses), queue, vectors_checked=space is not None)

    async def _space(self) -> str | None:
        try:
            await self._embedder.load()
        except ProviderError as error:
            log.warning("vectors_not_examined", reason=error.message)
            return None
        return self._embedder.space

    async def _examine(self, project: Project, space: str | None, *, repair: bool) -> Diagnosis:
        repaired = await self._repair(project.id, space) if repair else None
        async with self._database.transaction(project.id) as connection:
            repository = DoctorRepository(connection, project.id, space)
            checks = [check for check in Check if space is not None or check not in _OF_VECTORS]
            findings = tuple([await repository.examine(check) for check in checks])
            messages, memories, archived, running, failed = await repository.count()
            waiting = tuple(await repository.list_waiting())
        budget = await self._usage.read_budget(project.id)
        return Diagnosis(
            project.name, findings, messages, memories, archived, running, failed, budget, waiting, repaired
        )

    async def _repair(self, project_id: UUID, space: str | None) -> dict[Check, int]:
        async with self._database.transaction(project_id) as connection:
            repository = DoctorRepository(connection, project_id, space)
            checks = [check for check in Check if space is not None or check not in _OF_VECTORS]
            repaired = {check: await repository.remedy(check) for check in checks}
            stuck = await repository.list_stuck()
            files = await repository.list_files_to_read()
            unembedded = [] if space is None else await repository.list_unembedded_cubes()
        requeued = [await self._tasks.requeue(project_id, task_id, cube_id) for cube_id, task_id in stuck]
        for check, ids in files.items():
            repaired[check] = sum([await self._knowledge.read_again(project_id, file_id) for file_id in ids])
        for cube_id in unembedded:
            await self._enqueue_embedding(project_id, cube_id)
        repaired |= {Check.STUCK_SHARES: sum(requeued), Check.UNEMBEDDED_MEMORIES: len(unembedded)}
        return {check: count for check, count in repaired.items() if count}
