"""The jobs of skills, as the queue runs them."""

from typing import Final
from uuid import UUID

import procrastinate
import structlog
from procrastinate.exceptions import AlreadyEnqueued

from memcubed.errors import BudgetSpentError, MemcubedError
from memcubed.projects.service import ProjectService
from memcubed.skills.generation import SkillGenerator
from memcubed.store.queue import Backoff

DISTIL_ALL: Final = "skills.distil_all"
DISTIL_CUBE: Final = "skills.distil_cube"

log = structlog.get_logger(__name__)


def register_skill_jobs(
    queue: procrastinate.App, skills: SkillGenerator, projects: ProjectService, backoff: Backoff
) -> None:
    """Teach the queue to distil skills, every hour where there is something new.

    A run whose model is away is not tried again by itself: what was new stays new, and the next hour's run finds it.
    One that a budget puts off goes on when there is budget again.
    """

    @queue.task(name=DISTIL_CUBE, retry=backoff)
    async def distil_cube(project_id: str, cube_id: str) -> None:
        try:
            await skills.distil_cube(UUID(project_id), UUID(cube_id))
        except BudgetSpentError:
            raise
        except MemcubedError as error:
            log.warning("skills_not_distilled", cube_id=cube_id, reason=error.message)

    @queue.periodic(cron="47 * * * *")
    @queue.task(name=DISTIL_ALL, queueing_lock=DISTIL_ALL, lock=DISTIL_ALL)
    async def distil_all(timestamp: int | None = None) -> None:  # noqa: ARG001 - the periodic scheduler passes it
        for project in await projects.list_projects():
            for cube_id in await skills.list_changed_cubes(project.id):
                job = queue.configure_task(DISTIL_CUBE, lock=str(cube_id), queueing_lock=f"skills {cube_id}")
                try:
                    await job.defer_async(project_id=str(project.id), cube_id=str(cube_id))
                except AlreadyEnqueued:
                    log.debug("distilling_already_enqueued", cube_id=str(cube_id))
