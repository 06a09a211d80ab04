"""`memcubed export` and `memcubed import`."""

import sys
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Annotated, Final, Literal

import typer

from memcubed.bootstrap import Service
from memcubed.clock import utc_now
from memcubed.commands.connected import with_service
from memcubed.errors import ConfigurationError
from memcubed.exchange.exporting import Exporter
from memcubed.exchange.importing import Imported, Importer
from memcubed.store.cubes import Cube, CubeKind

DEFAULT_PROJECT: Final = "default"
STANDARD: Final = Path("-")

ProjectOption = Annotated[str, typer.Option(help="The project's name.")]


def export(
    file: Annotated[Path, typer.Argument(help="Where to write; - for standard output.")] = STANDARD,
    project: ProjectOption = DEFAULT_PROJECT,
    user: Annotated[str | None, typer.Option(help="Only the memories of this user.")] = None,
    agent: Annotated[str | None, typer.Option(help="Only the memories of this agent.")] = None,
    *,
    vectors: Annotated[bool, typer.Option("--vectors", help="With vectors, which are made anew otherwise.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there already.")] = False,
) -> None:
    """Write a project's messages, memories and all that belongs to them as JSON Lines."""
    if user is not None and agent is not None:
        raise typer.BadParameter("Give --user or --agent, not both.")
    if file != STANDARD and file.is_file() and not force:
        raise ConfigurationError(f"{file} is there already: name another file, or write over it with --force.")

    async def exported(service: Service) -> int:
        found = await service.projects.get_project(project)
        cube = None
        if user is not None or agent is not None:
            cube = Cube(found.id, CubeKind.AGENT if user is None else CubeKind.USER, user or agent or "")
        lines = Exporter(service.database, utc_now).export(found, cube, vectors=vectors)
        if file == STANDARD or (file.exists() and not file.is_file()):  # a pipe, say
            with nullcontext(sys.stdout) if file == STANDARD else _open(file, "w") as stream:
                return await _write(lines, stream)
        unfinished = file.with_name(f"{file.name}.part")  # so that a file of this name is always whole
        try:
            with _open(unfinished, "w") as stream:
                rows = await _write(lines, stream)
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)
        return rows

    typer.echo(f"{with_service(exported)} rows exported.", err=True)


async def _write(lines: AsyncIterator[str], stream: IO[str]) -> int:
    """How many rows were written: all lines but the first and the last one."""
    written = 0
    async for line in lines:
        stream.write(line)
        written += 1
    return written - 2


def load(
    file: Annotated[Path, typer.Argument(help="What to read; - for standard input.")],
    project: ProjectOption = DEFAULT_PROJECT,
    timezone: Annotated[str, typer.Option(help="The time zone of a project that does not exist yet.")] = "UTC",
) -> None:
    """Read what `memcubed export` wrote into a project, all of it or nothing; safe to repeat."""
    if file != STANDARD and not file.is_file():
        raise ConfigurationError(f"There is no file {file}.")

    async def imported(service: Service) -> Imported:
        into, is_new = await service.projects.plan_project(project, timezone=timezone)
        with nullcontext(sys.stdin) if file == STANDARD else _open(file, "r") as stream:
            try:
                done = await Importer(service.database).load(into, stream, is_new=is_new)
            except UnicodeDecodeError as error:
                raise ConfigurationError(f"{file} is not what `memcubed export` wrote: not text in UTF-8.") from error
        # What was still to be done where it comes from is done here; missing vectors are made.
        await service.doctor.examine(project, repair=True)
        return done

    rows = with_service(imported).rows
    for table, count in rows.items():
        typer.echo(f"{count} {table.replace('_', ' ')}")


def _open(file: Path, mode: Literal["r", "w"]) -> IO[str]:
    try:
        return file.open(mode, encoding="utf-8", newline="\n" if mode == "w" else None)
    except OSError as error:
        raise ConfigurationError(f"Can't open {file}: {error.strerror}.") from error
