"""Deleting memories, and everything of a user or an agent, for good."""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.exc import OperationalError

from memcubed.clock import Clock
from memcubed.errors import EmptyListError, MemoryNotFoundError, NotAllowedError, OwnerNotFoundError
from memcubed.filters import parse_filter
from memcubed.memories.deletion import DeletionRepository
from memcubed.memories.ids import ID_SHOWN, find_id
from memcubed.memories.requests import DeleteMemoryRequest, SuccessData
from memcubed.memories.types import MEMORY_TYPES, MemoryType
from memcubed.projects.model import Project
from memcubed.store.cubes import Cube, CubeKind
from memcubed.store.session import Database

_TRIES: Final = 3

log = structlog.get_logger(__name__)


class DeletionService:
    """Deletes in one transaction, whatever goes on meanwhile; a running extraction brings nothing back."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def delete(self, project: Project, request: DeleteMemoryRequest) -> SuccessData:
        """Delete what the request names.

        Raises MemoryNotFoundError, NotAllowedError and OwnerNotFoundError; then nothing is deleted.
        """
        for tries_left in reversed(range(_TRIES)):
            try:
                await self._delete(project, request)
            except OperationalError as error:
                # Two transactions that waited for one another; the other one is through now.
                if not isinstance(error.orig, psycopg.errors.DeadlockDetected) or not tries_left:
                    raise
                log.warning("deletion_tried_again", reason="deadlock")
            else:
                break
        return SuccessData()

    async def _delete(self, project: Project, request: DeleteMemoryRequest) -> None:
        of_type = None if request.memory_type is None else MEMORY_TYPES[request.memory_type]
        if request.memory_ids is not None:
            await self._delete_by_id(project.id, request.memory_ids, of_type)
        elif request.user_id is not None:
            await self._delete_owner(Cube(project.id, CubeKind.USER, request.user_id), of_type)
        elif request.agent_id is not None:
            await self._delete_owner(Cube(project.id, CubeKind.AGENT, request.agent_id), of_type)
        else:
            filters = parse_filter(request.filter, zone=project.timezone, now=self._clock())
            if filters.is_empty:
                raise EmptyListError("filter must hold at least one condition.")
            async with self._database.transaction(project.id) as connection:
                number = await DeletionRepository(connection, project.id).delete_matching(filters.conditions, of_type)
            log.info("memories_deleted", project_id=str(project.id), by="filter", count=number)

    async def _delete_by_id(self, project_id: UUID, texts: Sequence[str], of_type: MemoryType | None) -> None:
        ids = [find_id(text) for text in texts]
        known: Collection[UUID] = {id_ for id_ in ids if id_ is not None}
        async with self._database.transaction(project_id) as connection:
            repository = DeletionRepository(connection, project_id)
            found = await repository.lock(known, of_type)
            for index, (id_, text) in enumerate(zip(ids, texts, strict=True)):
                memory = None if id_ is None else found.get(id_)
                if memory is None or not memory.is_of_type:
                    kind = "" if of_type is None else " of this memory_type"
                    raise MemoryNotFoundError(
                        f"memory_ids[{index}]: there is no memory{kind} with the id {text[:ID_SHOWN]}."
                    )
                if memory.is_document:
                    raise NotAllowedError(
                        f"memory_ids[{index}] is a part of a knowledge base's document: delete its file instead."
                    )
            await repository.delete(known)
        log.info("memories_deleted", project_id=str(project_id), by="id", count=len(known))

    async def _delete_owner(self, cube: Cube, of_type: MemoryType | None) -> None:
        async with self._database.transaction(cube.project_id) as connection:
            repository = DeletionRepository(connection, cube.project_id)
            if of_type is None:
                exists = await repository.delete_owner(cube)
            else:
                exists = await repository.delete_of_type(cube, of_type)
        if not exists:
            raise OwnerNotFoundError(f"There is no {cube.kind}_id {cube.owner} in this project.")
        log.info("memories_deleted", project_id=str(cube.project_id), by="owner", cube_id=str(cube.id))
