"""What every cluster has inside before migrations run: the database, pgvector, and the service's role."""

import psycopg
from psycopg import sql

from memcubed.embedded.connection import DATABASE, SERVICE_ROLE, Connection

_CONNECT_SECONDS = 5

_READY = """
    SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector')
       AND has_schema_privilege('public', 'USAGE')
"""


def is_provisioned(connection: Connection) -> bool:
    """Tell whether the service's role can log in and finds everything in place."""
    try:
        with psycopg.connect(connection.service_url, connect_timeout=_CONNECT_SECONDS) as session:
            return session.execute(_READY).fetchone() == (True,)
    except psycopg.Error:
        return False


def answers_admin(connection: Connection) -> bool:
    """Tell whether the superuser can log in; slots are reserved for it when the service has used up all others."""
    try:
        with psycopg.connect(connection.maintenance_url, connect_timeout=_CONNECT_SECONDS):
            return True
    except psycopg.OperationalError:
        return False


def provision(connection: Connection) -> None:
    """Create what is missing, set the service's password; safe to run at any time. Raises psycopg.Error."""
    with psycopg.connect(connection.maintenance_url, connect_timeout=_CONNECT_SECONDS, autocommit=True) as session:
        if session.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    role = sql.Identifier(SERVICE_ROLE)
    with psycopg.connect(connection.admin_url, connect_timeout=_CONNECT_SECONDS) as session:
        session.execute("SET LOCAL client_min_messages = warning")
        session.execute("CREATE EXTENSION IF NOT EXISTS vector")
        session.execute("ALTER EXTENSION vector UPDATE")  # after an upgrade of the package
        if session.execute("SELECT FROM pg_roles WHERE rolname = %s", [SERVICE_ROLE]).fetchone() is None:
            session.execute(sql.SQL("CREATE ROLE {}").format(role))
        # The password is hashed here, so that no statement carries it.
        verifier = session.pgconn.encrypt_password(
            connection.service_password.encode(), SERVICE_ROLE.encode(), b"scram-sha-256"
        ).decode()
        session.execute(
            sql.SQL(
                "ALTER ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {}"
            ).format(role, sql.Literal(verifier))
        )
        session.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(DATABASE), role))
        session.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role))
