"""The schema: built by the migrations, described by the tables, and checked at every start."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import create_engine

from memcubed.bootstrap import DatabaseUrls
from memcubed.errors import ConfigurationError
from memcubed.settings import sqlalchemy_url
from memcubed.store.migrate import check, head_revision, migrate
from memcubed.store.tables import metadata
from tests.support.databases import Databases, query, with_database
from tests.support.process import environment, run_here

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def objects(urls: DatabaseUrls) -> list[tuple[Any, ...]]:
    """What a database holds beside extensions."""
    return query(
        urls.owner,
        """
        SELECT relkind::text, relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT 'function', proname::text FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
        UNION ALL SELECT 'type', typname::text FROM pg_type t WHERE typnamespace = 'public'::regnamespace
            AND typtype IN ('e', 'd') ORDER BY 1, 2
        """,
    )


def alembic(urls: DatabaseUrls, direction: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(sqlalchemy_url(urls.owner))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        getattr(command, direction)(config, revision)
        connection.commit()
    engine.dispose()


def test_from_nothing_up_down_and_up_again(empty_database: DatabaseUrls) -> None:
    assert migrate(empty_database.owner, empty_database.service) == (None, head_revision())
    whole = objects(empty_database)
    assert ("r", "memories") in whole
    assert migrate(empty_database.owner, empty_database.service) == (head_revision(), head_revision())
    alembic(empty_database, "downgrade", "base")
    assert {name for _, name in objects(empty_database)} == {"alembic_version", "alembic_version_pkc"}
    migrate(empty_database.owner, empty_database.service)
    assert objects(empty_database) == whole
    check(empty_database.service)


def test_every_step_down_can_be_taken_up_again(empty_database: DatabaseUrls) -> None:
    migrate(empty_database.owner, empty_database.service)
    whole = objects(empty_database)
    for _ in (MIGRATIONS / "versions").glob("*.py"):
        alembic(empty_database, "downgrade", "-1")
        alembic(empty_database, "upgrade", "+1")
        alembic(empty_database, "downgrade", "-1")
    migrate(empty_database.owner, empty_database.service)
    assert objects(empty_database) == whole


def test_the_tables_agree_with_the_migrations(database: DatabaseUrls) -> None:
    def is_ours(thing: object, name: str | None, kind: str, *_: object) -> bool:
        del thing
        return kind != "table" or not (name or "").startswith(("procrastinate_", "alembic_"))

    engine = create_engine(sqlalchemy_url(database.owner))
    with engine.connect() as connection:
        options = {"include_object": is_ours, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


def test_two_at_once_take_turns(empty_database: DatabaseUrls) -> None:
    with ThreadPoolExecutor() as threads:
        done = [threads.submit(migrate, empty_database.owner, empty_database.service) for _ in range(3)]
    assert sorted(one.result()[0] or "" for one in done) == ["", head_revision(), head_revision()]


def test_an_empty_database_is_refused_with_the_command_to_run(empty_database: DatabaseUrls) -> None:
    with pytest.raises(ConfigurationError, match=r"revision none.*Run `memcubed migrate`"):
        check(empty_database.service)


def test_an_outdated_database_is_refused_with_the_command_to_run(database: DatabaseUrls) -> None:
    alembic(database, "downgrade", "-1")
    with pytest.raises(ConfigurationError, match=r"is at revision \w+, this release needs.*Run `memcubed migrate`"):
        check(database.service)


def test_a_superuser_is_refused(database: DatabaseUrls) -> None:
    with pytest.raises(ConfigurationError, match=r"superuser.*MEMCUBED_MIGRATION_DATABASE_URL"):
        check(database.owner)


def test_a_database_that_is_not_there_is_told(database: DatabaseUrls) -> None:
    with pytest.raises(ConfigurationError, match="can't be used"):
        check(with_database(database.service, "nowhere"))


@pytest.fixture
def role(databases: Databases) -> Any:  # noqa: ANN401 - a generator
    """The name of a role that there is not, and that is gone at the end."""
    name = 'a test\'s "role"'
    yield name
    with psycopg.connect(databases.server.admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def test_migrate_makes_the_services_role(empty_database: DatabaseUrls, role: str, tmp_path: Path) -> None:
    account = ":".join(quote(part, safe="") for part in (role, "p@ss/w:rd'\"%"))
    address = urlsplit(empty_database.owner)
    service = f"postgresql://{account}@{address.hostname}:{address.port}{address.path}"
    env = environment(tmp_path, database_url=service, migration_database_url=empty_database.owner)
    done = run_here("migrate", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"The schema is at revision {head_revision()}. It was at none." in done.stdout
    check(service)
    assert query(service, "SELECT count(*) FROM memories") == [(0,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(service, "DELETE FROM alembic_version RETURNING version_num")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(service, "ALTER TABLE memories DISABLE ROW LEVEL SECURITY")
    made = run_here("key", "create", "--quiet", env=env)
    assert made.returncode == 0, made.stderr
    again = run_here("migrate", env=env)
    assert again.stdout == f"The schema is at revision {head_revision()}.\n"
    with psycopg.connect(empty_database.owner, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))


def test_a_schema_of_a_newer_release_is_left_alone(database: DatabaseUrls) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="9999"):
        migrate(database.owner, database.service)
    with pytest.raises(ConfigurationError, match="9999"):
        check(database.service)


def test_an_owner_that_may_not_migrate_is_told_so(empty_database: DatabaseUrls) -> None:
    with pytest.raises(ConfigurationError, match=r"can't be migrated: .*permission denied"):
        migrate(empty_database.service, empty_database.service)


@pytest.mark.parametrize(
    "url", ["postgresql://u:secret-word@127.0.0.1:1/x", "postgresql://u:secret-word@no.such.host.invalid/x"]
)
def test_a_url_that_leads_nowhere_is_told_in_a_line_without_the_password(url: str) -> None:
    for use in (lambda: check(url), lambda: migrate(url, url)):
        with pytest.raises(ConfigurationError) as caught:
            use()
        assert len(caught.value.message.splitlines()) == 1
        assert "secret-word" not in caught.value.message


def test_the_commands_say_it_in_one_plain_line(empty_database: DatabaseUrls, tmp_path: Path) -> None:
    for arguments, says in (
        (("serve", "--port", "0"), "Run `memcubed migrate`"),
        (("key", "list"), "Run `memcubed migrate`"),
    ):
        done = run_here(*arguments, env=environment(tmp_path, database_url=empty_database.service))
        assert done.returncode == 1
        assert done.stderr.startswith("memcubed: ")
        assert len(done.stderr.splitlines()) == 1
        assert says in done.stderr
