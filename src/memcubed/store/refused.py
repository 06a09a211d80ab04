"""What the operator is told when the database refuses what is asked of it."""

from typing import Final

import psycopg
from procrastinate.exceptions import ConnectorException
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from memcubed.errors import ConfigurationError
from memcubed.store.session import UNAVAILABLE_ERRORS

DATABASE_ERRORS: Final = (SQLAlchemyError, psycopg.Error, ConnectorException)
"""What is raised by whatever the database does not do."""

_NOT_WHOLE: Final = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedObject,
    psycopg.errors.InvalidSchemaName,
)


def refused(error: Exception) -> ConfigurationError:
    """One of DATABASE_ERRORS in a line: what PostgreSQL says, without the statement, and what to do about it."""
    cause: BaseException = error
    while (inner := cause.orig if isinstance(cause, DBAPIError) else _queues(cause)) is not None:
        cause = inner
    said = f"{str(cause).strip().partition(chr(10))[0].rstrip('.')}."
    if isinstance(cause, psycopg.errors.InsufficientPrivilege):
        return ConfigurationError(
            f"The database refuses: {said} MEMCUBED_MIGRATION_DATABASE_URL has to name the owner of the tables; with "
            "it `memcubed migrate` gives the role of MEMCUBED_DATABASE_URL its rights."
        )
    if isinstance(cause, _NOT_WHOLE):
        return ConfigurationError(
            f"The database is not whole: {said} Was it restored in part? Restore the back-up again, into an empty "
            "database, and look for errors."
        )
    if isinstance(cause, UNAVAILABLE_ERRORS):
        return ConfigurationError(f"The database does not answer: {said}")
    return ConfigurationError(f"The database refuses: {said} MEMCUBED_LOG_LEVEL=debug shows where.")


def _queues(error: BaseException) -> BaseException | None:
    """What the queue's library wrapped."""
    return error.__cause__ if isinstance(error, ConnectorException) else None
