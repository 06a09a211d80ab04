"""The `memcubed` command."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeVar

import structlog
import typer

from memcubed import bootstrap, embedded
from memcubed.commands.doctor import doctor
from memcubed.commands.exchange import export, load
from memcubed.commands.printable import printable, printable_lines
from memcubed.commands.tasks import tasks
from memcubed.demo import run_demo
from memcubed.errors import ConfigurationError, MemcubedError
from memcubed.http.server import open_socket, run_server
from memcubed.knowledge.links import LinkService, ListedBase
from memcubed.logs import configure_logs
from memcubed.projects.admin_keys import AdminKeyService
from memcubed.projects.keys import visible_prefix
from memcubed.projects.model import ApiKey
from memcubed.projects.scopes import PROJECT_SCOPES, Scope
from memcubed.projects.service import ProjectService
from memcubed.recall.large import LargeCubes
from memcubed.settings import Settings, load_settings, unknown_names
from memcubed.store.migrate import migrate as migrate_database
from memcubed.store.refused import DATABASE_ERRORS, refused
from memcubed.store.session import Database
from memcubed.welcome import welcome

DEFAULT_PROJECT: Final = "default"
_GOING_SECONDS: Final = 1.0

app = typer.Typer(
    help="A self-hosted memory service for AI applications.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they may show the values of variables
)
app.command()(doctor)
app.command()(export)
app.command(name="import")(load)
app.add_typer(tasks, name="task")
keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
app.add_typer(keys, name="key")
knowledge_bases = typer.Typer(help="List knowledge bases, and let other projects read them.", no_args_is_help=True)
app.add_typer(knowledge_bases, name="knowledgebase")

T = TypeVar("T")

log = structlog.get_logger(__name__)

ProjectOption = Annotated[str, typer.Option(help="The project's name.")]
BaseArgument = Annotated[str, typer.Argument(help="The knowledge base's id.")]
ReaderOption = Annotated[str, typer.Option("--to", help="The project that reads it.")]
OwnerOption = Annotated[str, typer.Option(help="The project that it belongs to.")]


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [MEMCUBED_HOST].")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0: a free one [MEMCUBED_PORT].")
    ] = None,
    *,
    worker: Annotated[bool, typer.Option(help="Run the worker in this process.")] = True,
) -> None:
    """Serve the API. Without MEMCUBED_DATABASE_URL on a bundled PostgreSQL."""
    settings = _settings_to_run_by()
    with open_socket(settings.host if host is None else host, settings.port if port is None else port) as listener:
        urls = bootstrap.prepare_database(settings)
        try:
            service = bootstrap.Service(settings, urls)
            http = bootstrap.create_http(service, with_worker=worker)
            first_key = asyncio.run(_first_key(settings, urls)) if settings.uses_bundled_database else None
            typer.echo(welcome(listener, service.extractor.name, first_key))
            run_server(http, listener)
        finally:
            bootstrap.release_database(settings, urls, patience_seconds=_GOING_SECONDS)


@app.command()
def worker() -> None:
    """Run jobs beside one or more `memcubed serve --no-worker`."""
    settings = _settings_to_run_by()
    urls = bootstrap.prepare_database(settings)
    try:
        asyncio.run(bootstrap.Service(settings, urls).run_worker())
    finally:
        bootstrap.release_database(settings, urls, patience_seconds=_GOING_SECONDS)


@app.command()
def migrate() -> None:
    """Bring the database to the schema of this release."""
    settings = load_settings()
    urls = bootstrap.open_database(settings)
    try:
        before, after = migrate_database(urls.owner, urls.service)
        typer.echo(
            f"The schema is at revision {after}." + ("" if before == after else f" It was at {before or 'none'}.")
        )
    finally:
        bootstrap.release_database(settings, urls)


@app.command()
def calibrate() -> None:
    """Fit anew how scores of the configured embedding model become relativity."""
    settings = load_settings()
    urls = bootstrap.existing_database(settings)
    try:
        calibration = asyncio.run(bootstrap.calibrate(settings, urls))
        typer.echo(
            f"Fitted: relativity 0.45 at a score of {calibration.middle:.3f}; unrelated texts have a cosine of "
            f"{calibration.shift:.3f}, spread by {calibration.noise:.3f}; gain {calibration.gain:.2f}."
        )
    finally:
        bootstrap.release_database(settings, urls)


@app.command()
def index() -> None:
    """Build the indexes of cubes that are too large to scan; run it now and then, while the service works."""
    settings = load_settings()
    urls = bootstrap.existing_database(settings)
    try:
        LargeCubes(urls.owner).update(typer.echo)
        typer.echo("Every large cube has its indexes.")
    finally:
        bootstrap.release_database(settings, urls)


@app.command()
def stop() -> None:
    """Stop the bundled PostgreSQL, should a killed service have left it running."""
    settings = load_settings()
    if embedded.find_running(settings.home) is None:
        typer.echo("It was not running.")
    elif bootstrap.release_database(settings, bootstrap.open_database(settings)):
        typer.echo("Stopped.")
    else:
        raise ConfigurationError("A memcubed process works with it; end that one, and it stops the database itself.")


@app.command()
def demo() -> None:
    """Show the main job once: a conversation goes in, memories come out. Leaves nothing behind."""
    settings = load_settings()
    configure_logs(settings.log_format, "warning")
    run_demo(settings)


@keys.command("create")
def create_key(
    project: ProjectOption = DEFAULT_PROJECT,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    expires: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="When it expires, in UTC; never when absent."),
    ] = None,
    expires_in_days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Days until it expires.")] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What it may do; may be repeated. Absent: read and write. admin: a key for /admin, alone."),
    ] = None,
    *,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the key alone, for scripts.")] = False,
) -> None:
    """Make an API key, and its project when there is none of that name."""
    settings = load_settings()
    scopes = frozenset(scope) if scope else PROJECT_SCOPES
    expires_at = _expiry(expires, expires_in_days)
    if Scope.ADMIN in scopes:
        if len(scopes) > 1:
            raise ConfigurationError("A key with the scope admin belongs to no project, and can't have other scopes.")
        key = _with_database(
            settings, lambda database: AdminKeyService(database).create(name=name, expires_at=expires_at)
        )
        typer.echo(key if quiet else f"Admin key of this installation, shown this once only:\n{key}")
        return

    async def create(projects: ProjectService) -> str:
        return await projects.create_key(
            project, timezone=settings.default_timezone, name=name, expires_at=expires_at, scopes=scopes
        )

    key = _with_projects(settings, create)
    typer.echo(key if quiet else f"API key of project {project!r}, shown this once only:\n{key}")


@keys.command("list")
def list_keys(
    project: ProjectOption = DEFAULT_PROJECT,
    *,
    admin: Annotated[bool, typer.Option("--admin", help="The admin keys of the installation instead.")] = False,
) -> None:
    """List a project's keys by their visible prefixes."""
    settings = load_settings()
    if admin:
        found = _with_database(settings, lambda database: AdminKeyService(database).list_keys())
    else:
        found = _with_projects(settings, lambda projects: projects.list_keys(project))
    for key in found:
        fields = (
            key.prefix,
            _state(key),
            f"{'+'.join(sorted(key.scopes)):10}",
            f"created {_day(key.created_at)}",
            f"last used {_day(key.last_used_at)}",
            f"expires {_day(key.expires_at)}",
            key.name,
        )
        typer.echo(printable("  ".join(fields).rstrip()))


@keys.command("revoke")
def revoke_key(
    prefix: Annotated[str, typer.Argument(help="The key's visible prefix, such as mc-1f0a9c3e, or the key itself.")],
    project: ProjectOption = DEFAULT_PROJECT,
    *,
    admin: Annotated[bool, typer.Option("--admin", help="It is an admin key.")] = False,
) -> None:
    """Revoke a key at once."""
    settings = load_settings()
    if admin:
        _with_database(settings, lambda database: AdminKeyService(database).revoke(visible_prefix(prefix)))
    else:
        _with_projects(settings, lambda projects: projects.revoke_key(project, visible_prefix(prefix)))
    typer.echo(f"Revoked {visible_prefix(prefix)}.")


@knowledge_bases.command("link")
def link_knowledge_base(base: BaseArgument, to: ReaderOption, project: OwnerOption = DEFAULT_PROJECT) -> None:
    """Let another project search a knowledge base; it can't change it."""

    async def link(database: Database) -> None:
        projects = ProjectService(database)
        owner, reader = await projects.get_project(project), await projects.get_project(to)
        await LinkService(database).link(owner, base, reader)

    _with_database(load_settings(), link)
    typer.echo(f"Project {to!r} may read {base}.")


@knowledge_bases.command("unlink")
def unlink_knowledge_base(base: BaseArgument, to: ReaderOption, project: OwnerOption = DEFAULT_PROJECT) -> None:
    """Take that back, at once."""

    async def unlink(database: Database) -> None:
        projects = ProjectService(database)
        owner, reader = await projects.get_project(project), await projects.get_project(to)
        await LinkService(database).unlink(owner, base, reader)

    _with_database(load_settings(), unlink)
    typer.echo(f"Project {to!r} may no longer read {base}.")


@knowledge_bases.command("list")
def list_knowledge_bases() -> None:
    """List the knowledge bases of every project, and to which others they are linked."""

    async def listed(database: Database) -> list[ListedBase]:
        return await LinkService(database).list_bases(await ProjectService(database).list_projects())

    for base in _with_database(load_settings(), listed):
        linked = f"linked to {', '.join(base.linked_to)}" if base.linked_to else ""
        typer.echo(printable("  ".join((str(base.id), f"of {base.owner}", base.name, linked)).rstrip()))


def _settings_to_run_by() -> Settings:
    settings = load_settings()
    configure_logs(settings.log_format, settings.log_level)
    for name in unknown_names():
        log.warning("unknown_setting", name=name, reason="docs/operations.md has the settings that there are")
    return settings


def _expiry(moment: datetime | None, days: int | None) -> datetime | None:
    if moment is not None and days is not None:
        raise ConfigurationError("Give --expires or --expires-in-days, not both.")
    if days is not None:
        return datetime.now(UTC) + timedelta(days=days)
    if moment is None:
        return None
    if moment.replace(tzinfo=UTC) <= datetime.now(UTC):
        raise ConfigurationError("--expires must be in the future.")
    return moment.replace(tzinfo=UTC)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= datetime.now(UTC):
        return "expired"
    return "active "


def _day(moment: datetime | None) -> str:
    return "never     " if moment is None else moment.date().isoformat()


def _with_projects(settings: Settings, use: Callable[[ProjectService], Awaitable[T]]) -> T:
    return _with_database(settings, lambda database: use(ProjectService(database)))


def _with_database(settings: Settings, use: Callable[[Database], Awaitable[T]]) -> T:
    urls = bootstrap.existing_database(settings)
    try:
        return asyncio.run(_use_database(settings, urls, use))
    finally:
        bootstrap.release_database(settings, urls)


async def _use_database(settings: Settings, urls: bootstrap.DatabaseUrls, use: Callable[[Database], Awaitable[T]]) -> T:
    database = Database(urls.service, pool_size=settings.database_pool_size)
    try:
        return await use(database)
    finally:
        await database.close()


async def _first_key(settings: Settings, urls: bootstrap.DatabaseUrls) -> str | None:
    async def create(database: Database) -> str | None:
        projects = ProjectService(database)
        if await projects.list_projects():
            return None
        return await projects.create_key(DEFAULT_PROJECT, timezone=settings.default_timezone, name="first key")

    return await _use_database(settings, urls, create)


def main() -> None:
    """Run the command; an error of ours or of the database ends it with one plain line."""
    try:
        app()
    except MemcubedError as error:
        typer.echo(f"memcubed: {printable_lines(error.message)}", err=True)
        sys.exit(1)
    except DATABASE_ERRORS as error:
        settings = load_settings()
        configure_logs(settings.log_format, settings.log_level)
        log.debug("database_refused", exc_info=True)
        typer.echo(f"memcubed: {printable_lines(refused(error).message)}", err=True)
        sys.exit(1)
