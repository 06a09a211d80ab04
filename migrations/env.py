"""Runs migrations on the connection that `memcubed migrate` hands over, or on the configured database."""

from alembic import context
from sqlalchemy import Connection, create_engine

from memcubed.settings import Settings, sqlalchemy_url
from memcubed.store.migrate import LOCK_TIMEOUT
from memcubed.store.tables import metadata


def run(connection: Connection) -> None:
    """Every migration gives up rather than queue behind, and so block, the service's own transactions."""
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    lock_timeout = context.config.attributes.get("lock_timeout", LOCK_TIMEOUT)
    connection.exec_driver_sql(f"SET lock_timeout = '{lock_timeout}'")
    connection.commit()
    with context.begin_transaction():
        context.run_migrations()


handed_over: Connection | None = context.config.attributes.get("connection")
if handed_over is not None:
    run(handed_over)
else:
    settings = Settings()
    url = settings.migration_database_url or settings.database_url
    if url is None:
        raise SystemExit("Set MEMCUBED_DATABASE_URL, or run `memcubed migrate` for the bundled PostgreSQL.")
    with create_engine(sqlalchemy_url(url.get_secret_value())).connect() as connection:
        run(connection)
