"""`memcubed task`: tasks that failed, or wait to be tried again."""

from typing import Annotated, Final
from uuid import UUID

import typer

from memcubed.bootstrap import Service
from memcubed.commands.connected import with_service
from memcubed.commands.printable import printable
from memcubed.errors import TaskNotFoundError
from memcubed.production.model import ShareSummary
from memcubed.production.tasks import TaskStatus

DEFAULT_PROJECT: Final = "default"

ProjectOption = Annotated[str, typer.Option(help="The project's name.")]

tasks = typer.Typer(help="List tasks, and try failed ones again.", no_args_is_help=True)


@tasks.command("list")
def list_tasks(
    project: ProjectOption = DEFAULT_PROJECT,
    status: Annotated[TaskStatus | None, typer.Option(help="Only tasks of this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest first.")] = 100,
) -> None:
    """List a project's tasks, one line for each cube that a task works on."""

    async def listed(service: Service) -> list[ShareSummary]:
        found = await service.projects.get_project(project)
        return await service.tasks.list_newest(found.id, status, limit)

    for share in with_service(listed):
        typer.echo(_line(share))


@tasks.command("retry")
def retry(
    task_ids: Annotated[list[str] | None, typer.Argument(help="The tasks' ids.")] = None,
    project: ProjectOption = DEFAULT_PROJECT,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Every task of the project that failed.")] = False,
) -> None:
    """Try failed tasks again, with all their tries; a worker does it."""
    if not task_ids and not failed:
        raise typer.BadParameter("Name the tasks, or give --failed for all of them.")

    async def reopened(service: Service) -> int:
        found = await service.projects.get_project(project)
        ids = [_uuid(text) for text in task_ids or ()]
        if failed:
            ids += await service.tasks.list_failed(found.id)
        return sum([await service.tasks.retry(found.id, id_) for id_ in dict.fromkeys(ids)])

    typer.echo(f"{with_service(reopened)} put back on the queue.")


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise TaskNotFoundError(f"There is no task {text!r}.") from error


def _line(share: ShareSummary) -> str:
    ended = "-" if share.finished_at is None else f"{share.finished_at:%Y-%m-%d %H:%M:%S}"
    parts = (
        str(share.task_id),
        f"{share.status:<9}",
        f"{share.cube_kind} {share.owner}".strip(),
        f"accepted {share.created_at:%Y-%m-%d %H:%M:%S}",
        f"ended {ended}",
        f"failed tries {share.attempts}",
        share.reason or "",
    )
    return printable("  ".join(parts).rstrip())
