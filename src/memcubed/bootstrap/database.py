"""The database that the settings lead to: opened, brought to this release, and released again."""

import time
from dataclasses import dataclass
from typing import Final

import psycopg
import structlog

from memcubed import embedded
from memcubed.embedded import EmbeddedPostgres
from memcubed.errors import ConfigurationError
from memcubed.settings import Settings
from memcubed.store.migrate import check, migrate

log = structlog.get_logger(__name__)

_POLL_SECONDS: Final = 0.05
_OTHER_CLIENTS: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """Where the database is: as the tables' owner, and as the role that the service runs as."""

    owner: str
    service: str


def open_database(settings: Settings) -> DatabaseUrls:
    """The configured database, or the bundled one, started when it does not run. Blocks."""
    if settings.database_url is None:
        bundled: EmbeddedPostgres = embedded.start(settings.home)
        return DatabaseUrls(owner=bundled.admin_url, service=bundled.service_url)
    service = settings.database_url.get_secret_value()
    owner = settings.migration_database_url
    return DatabaseUrls(owner=service if owner is None else owner.get_secret_value(), service=service)


def prepare_database(settings: Settings) -> DatabaseUrls:
    """A database of this release's schema: the bundled one is migrated, another one is only checked. Blocks."""
    urls = open_database(settings)
    if settings.uses_bundled_database:
        migrate(urls.owner, urls.service)
    check(urls.service)
    return urls


def existing_database(settings: Settings) -> DatabaseUrls:
    """The same for commands that work on what a service has: they make no database. Raises ConfigurationError. Blocks.

    Else a command in the wrong folder, where no `.env` names the database, would be content with an empty one.
    """
    if settings.uses_bundled_database and not embedded.exists(settings.home):
        raise ConfigurationError(
            f"MEMCUBED_DATABASE_URL is not set here, and there is no database in {settings.home}. Run the command as "
            "the service's user, in its folder (where its .env is), with its MEMCUBED_HOME; or make a database first, "
            "by `memcubed serve` or `memcubed migrate`."
        )
    return prepare_database(settings)


def release_database(settings: Settings, urls: DatabaseUrls, *, patience_seconds: float = 0.0) -> bool:
    """Stop the bundled database unless another process works with it; whether it was stopped. Blocks.

    `patience_seconds` is how long others may take to go: a backend outlives the connection that was closed by moments.
    """
    if not settings.uses_bundled_database:
        return False
    deadline = time.monotonic() + patience_seconds
    try:
        with psycopg.connect(urls.owner, autocommit=True) as connection:
            while (is_used := connection.execute(_OTHER_CLIENTS).fetchone() != (0,)) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
    except psycopg.OperationalError as error:
        log.warning("database_not_asked_to_stop", reason=str(error).splitlines()[0])
        return False
    return not is_used and embedded.stop(settings.home)
