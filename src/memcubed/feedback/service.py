"""Accepting feedback so that nothing of it can be lost."""

import hashlib
import json
from typing import Final
from uuid import UUID, uuid4

from pydantic import JsonValue

from memcubed.clock import Clock
from memcubed.contract.times import parse_time
from memcubed.feedback.schemas import AddFeedbackRequest
from memcubed.knowledge.service import KnowledgeService
from memcubed.messages.model import DEFAULT_CONVERSATION, Role, Turn
from memcubed.messages.schemas import AddMessageData
from memcubed.messages.service import MessageService
from memcubed.production.tasks import TaskKind, TaskOptions, TaskService, TaskStatus
from memcubed.projects.input_limit import CallLimit
from memcubed.projects.model import Project
from memcubed.store.cubes import Cube, CubeKind, ensure_cubes, public_cube
from memcubed.store.session import Database, committing

MARK: Final = "feedback"
"""The `type` of a message that is feedback."""


class FeedbackService:
    """Stores feedback as a message of its conversation, with the promise that it takes effect."""

    def __init__(
        self,
        database: Database,
        messages: MessageService,
        tasks: TaskService,
        knowledge: KnowledgeService,
        limit: CallLimit,
        clock: Clock,
        *,
        sync_wait_seconds: float,
    ) -> None:
        self._database = database
        self._messages = messages
        self._tasks = tasks
        self._limit = limit
        self._clock = clock
        self._sync_wait_seconds = sync_wait_seconds
        self._knowledge = knowledge

    async def add(self, project: Project, request: AddFeedbackRequest, idempotency_key: str | None) -> AddMessageData:
        """Store the feedback, make it recallable, and promise its effect, in one transaction."""
        now = self._clock()
        said_at = now
        if request.feedback_time is not None:
            said_at = parse_time(request.feedback_time, "feedback_time", zone=project.timezone, now=now)
        await self._limit.take(project.id, request.feedback_content, "feedback_content")
        turn = Turn(uuid4(), Role.USER, request.feedback_content, said_at)
        task_id, is_new = await self._store(project.id, request, turn, idempotency_key)
        status = TaskStatus.RUNNING
        if not request.async_mode:
            status = await self._tasks.wait(project.id, task_id, self._sync_wait_seconds)
        elif not is_new:
            status = (await self._tasks.get(project.id, task_id)).status
        return AddMessageData(success=status is not TaskStatus.FAILED, task_id=str(task_id), status=status)

    async def _store(
        self, project_id: UUID, request: AddFeedbackRequest, turn: Turn, idempotency_key: str | None
    ) -> tuple[UUID, bool]:
        cubes = _cubes(project_id, request)
        options = TaskOptions(
            conversation_id=request.conversation_id or DEFAULT_CONVERSATION,
            app_id=request.app_id,
            agent_id=request.agent_id,
            related_ids=tuple(id_ for id_ in (request.user_id, request.agent_id) if id_ is not None),
            task_kind=TaskKind.FEEDBACK,
        )
        payload: dict[str, JsonValue] = {"role": turn.role.value, "content": turn.content, "type": MARK}
        async with self._database.transaction(project_id) as connection:
            task = await self._tasks.open(
                connection, project_id, options, body_hash=_body_hash(request), idempotency_key=idempotency_key
            )
            if task.is_new:
                cubes += await self._knowledge.writable_cubes(connection, project_id, request.allow_knowledgebase_ids)
                await ensure_cubes(connection, cubes)
                async with committing(connection):
                    await self._messages.keep(connection, project_id, cubes, task.id, options, [turn], [payload])
                    await self._tasks.share_out(connection, project_id, task.id, cubes, kind=options.task_kind)
        return task.id, task.is_new


def _cubes(project_id: UUID, request: AddFeedbackRequest) -> list[Cube]:
    if request.user_id is not None:
        cubes = [Cube(project_id, CubeKind.USER, request.user_id)]
    else:
        cubes = [Cube(project_id, CubeKind.AGENT, request.agent_id or "")]
    if request.allow_public:
        cubes.append(public_cube(project_id))
    return cubes


def _body_hash(request: AddFeedbackRequest) -> str:
    body = request.model_dump(mode="json", exclude_unset=True, exclude={"async_mode"})
    # not to be taken for a message with the same fields
    told = json.dumps({MARK: body}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()
