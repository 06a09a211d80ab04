"""Bring a database to the schema of this release, and tell whether it is there."""

from importlib import resources
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from memcubed.errors import ConfigurationError
from memcubed.settings import libpq_url, sqlalchemy_url

LOCK_TIMEOUT: Final = "5s"
"""So long a migration waits for a table; it would queue up, behind it, whatever the service wants of that table."""

SERVICE_URL: Final = "MEMCUBED_DATABASE_URL"
OWNER_URL: Final = "MEMCUBED_MIGRATION_DATABASE_URL"

_WITHOUT_EXTENSION: Final = (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile)
_MIGRATION_LOCK: Final = 0x6D656D33  # "mem3", so that two `migrate` commands take turns
_OLDEST_SERVER: Final = 160000
_OLDEST_PGVECTOR: Final = (0, 8, 0)


def migrate(owner_url: str, service_url: str) -> tuple[str | None, str]:
    """Upgrade the schema as its owner and let the service's role use it; the revisions before and after.

    A service role that does not exist yet is created from the name and password in `service_url`. Raises
    ConfigurationError when the database refuses.
    """
    try:
        before = _upgrade(owner_url)
        _grant(owner_url, service_url)
    except (DBAPIError, psycopg.Error, CommandError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, psycopg.errors.LockNotAvailable):
            raise ConfigurationError(
                "The schema can't be migrated now: a table is in use by a long transaction, and a migration that "
                f"waited for it (lock timeout: {LOCK_TIMEOUT}) would hold up the service. What is done is done; run "
                "`memcubed migrate` again for the rest."
            ) from error
        variable = SERVICE_URL if owner_url == service_url else OWNER_URL
        raise ConfigurationError(f"The schema can't be migrated: {_told(cause, variable)}") from error
    return before, head_revision()


def _upgrade(owner_url: str) -> str | None:
    engine = create_engine(sqlalchemy_url(owner_url), hide_parameters=True)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({_MIGRATION_LOCK})")
            connection.commit()
            before = MigrationContext.configure(connection).get_current_revision()
            connection.rollback()
            config = _config()
            config.attributes["connection"] = connection
            config.attributes["lock_timeout"] = LOCK_TIMEOUT
            command.upgrade(config, "head")
            connection.commit()
    finally:
        engine.dispose()
    return before


def _told(error: BaseException | None, variable: str) -> str:
    """What PostgreSQL says, and what to do about it; `variable` has the URL that was used."""
    said = f"{str(error).strip().partition(chr(10))[0].rstrip('.')}."
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return f"{said} {OWNER_URL} has to name the owner of the database, who may also create the extension vector."
    if isinstance(error, _WITHOUT_EXTENSION) and "extension" in said:
        return f"{said} Install pgvector 0.8 or newer on the server of the database."
    if isinstance(error, psycopg.OperationalError | psycopg.ProgrammingError) and error.sqlstate is None:
        return f"{said} Check that PostgreSQL runs there, and host, port, name, password and database in {variable}."
    return said


def head_revision() -> str:
    """The schema revision that this release needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise ConfigurationError("This installation has no migrations; install memcubed again.")
    return head


def check(service_url: str) -> None:
    """Raise ConfigurationError unless the service can run on this database as this role."""
    try:
        with psycopg.connect(libpq_url(service_url), connect_timeout=10) as connection:
            _check_server(connection)
            _check_role(connection)
            _check_schema(connection)
    except psycopg.Error as error:
        raise ConfigurationError(f"The database can't be used: {_told(error, SERVICE_URL)}") from error


def _check_server(connection: psycopg.Connection) -> None:
    if connection.info.server_version < _OLDEST_SERVER:
        raise ConfigurationError("memcubed needs PostgreSQL 16 or newer.")
    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if row is not None and tuple(int(part) for part in row[0].split(".")[:3]) < _OLDEST_PGVECTOR:
        raise ConfigurationError(f"memcubed needs pgvector 0.8 or newer; this database has {row[0]}.")


def _check_role(connection: psycopg.Connection) -> None:
    row = connection.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").fetchone()
    if row is not None and row[0]:
        raise ConfigurationError(
            "MEMCUBED_DATABASE_URL names a role that row-level security does not bind (a superuser, or one with "
            "BYPASSRLS). Put that URL into MEMCUBED_MIGRATION_DATABASE_URL, an ordinary role into "
            "MEMCUBED_DATABASE_URL (it is created when it does not exist), and run `memcubed migrate`."
        )


def _check_schema(connection: psycopg.Connection) -> None:
    exists = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
    current = None
    if exists is not None and exists[0]:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        current = row[0] if row else None
    if current != head_revision():
        raise ConfigurationError(
            f"The database schema is at revision {current or 'none'}, this release needs {head_revision()}. "
            "Run `memcubed migrate`."
        )


def _grant(owner_url: str, service_url: str) -> None:
    service = urlsplit(service_url)
    owner_name, role = urlsplit(owner_url).username, unquote(service.username or "")
    if not role or role == unquote(owner_name or ""):
        return
    with psycopg.connect(libpq_url(owner_url), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(unquote(service.password or ""))
                )
            )
        for statement in (
            "GRANT USAGE ON SCHEMA public TO {}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
            "REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {}",
            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}",
        ):
            connection.execute(sql.SQL(statement).format(sql.Identifier(role)))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_migrations()))
    return config


def _migrations() -> Path:
    packaged = Path(str(resources.files("memcubed"))) / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "migrations"
