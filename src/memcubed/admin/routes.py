"""/admin: projects, their keys, what they use, and what is out of order; for admin keys alone."""

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from memcubed.admin.schemas import (
    BudgetData,
    ChangeProjectRequest,
    CreateKeyRequest,
    CreateProjectRequest,
    DayUsageData,
    KeyData,
    KeyListData,
    KindUsageData,
    NewKeyData,
    PartUsageData,
    ProjectData,
    ProjectDetail,
    ProjectKindUsageData,
    ProjectListData,
    SuccessData,
    TaskUsageData,
    UsageCounts,
    UsageData,
)
from memcubed.clock import Clock
from memcubed.contract.envelope import Envelope
from memcubed.doctor.schemas import ReportData
from memcubed.doctor.service import DoctorService
from memcubed.errors import InvalidRequestError, NotFoundError
from memcubed.projects.administration import ProjectAdministration
from memcubed.projects.authentication import AuthenticateAdmin, KeyFirstRoute
from memcubed.usage.model import Usage
from memcubed.usage.service import UsageService

DEFAULT_DAYS = 30
MAX_DAYS = 366


def admin_routes(
    projects: ProjectAdministration,
    usage: UsageService,
    doctor: DoctorService,
    authenticate: AuthenticateAdmin,
    clock: Clock,
    *,
    default_timezone: str,
) -> APIRouter:
    """The admin API, behind authentication by an admin key."""
    router = APIRouter(prefix="/admin", tags=["admin"], route_class=KeyFirstRoute, dependencies=[Depends(authenticate)])
    _add_project_routes(router, projects, usage, default_timezone)
    _add_key_routes(router, projects, clock)
    _add_usage_routes(router, projects, usage, clock)

    @router.get("/doctor")
    async def examine(project: Annotated[str | None, Query()] = None) -> Envelope[ReportData]:
        """What is out of order, in every project or the one of this name; nothing is changed."""
        return Envelope(data=ReportData.of(await doctor.examine(project)))

    return router


def _add_project_routes(
    router: APIRouter, projects: ProjectAdministration, usage: UsageService, default_timezone: str
) -> None:
    @router.get("/projects")
    async def list_projects() -> Envelope[ProjectListData]:
        """Every project, oldest first."""
        return Envelope(data=ProjectListData(projects=[ProjectData.of(one) for one in await projects.list_projects()]))

    @router.post("/projects")
    async def create_project(request: CreateProjectRequest) -> Envelope[ProjectData]:
        """Make a project, without a key yet."""
        timezone = request.timezone or default_timezone
        return Envelope(data=ProjectData.of(await projects.create(request.name, timezone, redact=request.redact)))

    @router.get("/projects/{project_id}")
    async def get_project(project_id: str) -> Envelope[ProjectDetail]:
        """A project, and what is left of its budget for today."""
        record = await projects.get(_project_id(project_id))
        budget = BudgetData.of(await usage.read_budget(record.project.id))
        return Envelope(data=ProjectDetail(budget=budget, **ProjectData.of(record).model_dump()))

    @router.patch("/projects/{project_id}")
    async def change_project(project_id: str, request: ChangeProjectRequest) -> Envelope[ProjectData]:
        """Rename a project, or give it another time zone, budget or choice of redaction."""
        return Envelope(data=ProjectData.of(await projects.change(_project_id(project_id), request.to_change())))

    @router.delete("/projects/{project_id}")
    async def delete_project(project_id: str) -> Envelope[SuccessData]:
        """Delete a project with everything in it, for good."""
        await projects.delete(_project_id(project_id))
        return Envelope(data=SuccessData())


def _add_key_routes(router: APIRouter, projects: ProjectAdministration, clock: Clock) -> None:
    @router.get("/projects/{project_id}/keys")
    async def list_keys(project_id: str) -> Envelope[KeyListData]:
        """A project's keys, by what of them may be shown."""
        keys = await projects.list_keys(_project_id(project_id))
        return Envelope(data=KeyListData(keys=[KeyData.of(key) for key in keys]))

    @router.post("/projects/{project_id}/keys")
    async def create_key(project_id: str, request: CreateKeyRequest) -> Envelope[NewKeyData]:
        """Make a key, which is shown this once."""
        made = await projects.create_key(
            _project_id(project_id),
            name=request.name,
            expires_at=request.read_expiry(clock()),
            scopes=request.read_scopes(),
        )
        return Envelope(data=NewKeyData.made(*made))

    @router.delete("/projects/{project_id}/keys/{key_id}")
    async def revoke_key(project_id: str, key_id: str) -> Envelope[SuccessData]:
        """Revoke a key at once."""
        await projects.revoke_key(_project_id(project_id), _uuid(key_id, "key"))
        return Envelope(data=SuccessData())


def _add_usage_routes(router: APIRouter, projects: ProjectAdministration, usage: UsageService, clock: Clock) -> None:
    @router.get("/usage")
    async def get_usage(
        project_id: Annotated[str | None, Query()] = None,
        first_day: Annotated[date | None, Query()] = None,
        last_day: Annotated[date | None, Query()] = None,
    ) -> Envelope[UsageData]:
        """What model calls cost: the last 30 days unless others are named.

        By project, day, purpose and model; and by project and kind of memory.
        """
        first, last = _days(first_day, last_day, clock().date())
        ids = [one.project.id for one in await projects.list_projects()]
        if project_id is not None:
            ids = [(await projects.get(_project_id(project_id))).project.id]
        shown, kinds, used = [], [], []
        for id_ in ids:
            days = await usage.list_days(id_, first, last)
            spent = [day.usage for day in days]
            made = KindUsageData.all(await usage.list_kinds(id_, first, last), sum(spent, Usage()))
            shown += [DayUsageData.of(str(id_), day) for day in days]
            kinds += [ProjectKindUsageData(project_id=str(id_), **kind.model_dump()) for kind in made]
            used += spent
        return Envelope(data=UsageData(usage=shown, kinds=kinds, total=UsageCounts.sum(used)))

    @router.get("/projects/{project_id}/tasks/{task_id}/usage")
    async def get_task_usage(project_id: str, task_id: str) -> Envelope[TaskUsageData]:
        """What a task's model calls cost; nothing for a task that called none."""
        record = await projects.get(_project_id(project_id))
        parts = await usage.list_task(record.project.id, _uuid(task_id, "task"))
        spent = [part.usage for part in parts]
        made = await usage.list_task_kinds(record.project.id, _uuid(task_id, "task"))
        return Envelope(
            data=TaskUsageData(
                usage=[PartUsageData.of(part) for part in parts],
                kinds=KindUsageData.all(made, sum(spent, Usage())),
                total=UsageCounts.sum(spent),
            )
        )


def _project_id(text: str) -> UUID:
    return _uuid(text, "project")


def _uuid(text: str, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFoundError(f"There is no {what} with the id {text[:100]}.") from error


def _days(first: date | None, last: date | None, today: date) -> tuple[date, date]:
    last = last or today
    if first is None:
        first = last - timedelta(days=min(DEFAULT_DAYS - 1, (last - date.min).days))
    if first > last:
        raise InvalidRequestError("first_day must not be after last_day.")
    if (last - first).days >= MAX_DAYS:
        raise InvalidRequestError(f"first_day and last_day may be at most {MAX_DAYS} days apart.")
    return first, last
