"""The doctor finds each defect that is planted, and puts in order what can be."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from memcubed.bootstrap import DatabaseUrls
from memcubed.doctor.model import Check, Report
from memcubed.doctor.text import report_lines
from memcubed.errors import NotFoundError
from memcubed.store.tables import metadata
from tests.conftest import StartService
from tests.knowledge.files import add_text, new_base
from tests.support.api import Api, Client, eventually
from tests.support.databases import query

SAID = "My cat is called Mimi and she only eats tuna."


@pytest.fixture
async def service(start: StartService, database: DatabaseUrls) -> AsyncIterator[Api]:
    async with start(urls=database) as api:
        yield api


@pytest.fixture
async def told(service: Api) -> Client:
    """A project with a conversation whose extraction has ended, a file, and nothing left on the queue."""
    client = await service.client("told")
    await client.add(SAID, "Noted!", async_mode=False)
    await add_text(client, await new_base(client), "Cats are fed at eight.")
    await settled(service)
    return client


async def settled(service: Api) -> None:
    async def is_idle() -> bool:
        queue = (await service.service.doctor.examine()).queue
        return queue.waiting == queue.running == 0

    await eventually(is_idle)


def break_things(urls: DatabaseUrls, *statements: str) -> None:
    """As the tables' owner, whom row-level security does not bind on the bundled server."""
    with psycopg.connect(urls.owner) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def counts(report: Report) -> dict[Check, int]:
    (diagnosis,) = report.diagnoses
    return {finding.check: finding.count for finding in diagnosis.findings if finding.count}


async def test_a_service_at_rest_is_clean(service: Api, told: Client) -> None:
    del told
    report = await service.service.doctor.examine()
    assert report.is_clean, list(report_lines(report))
    (diagnosis,) = report.diagnoses
    assert (diagnosis.messages, diagnosis.running, diagnosis.failed) == (2, 0, 0)
    assert diagnosis.memories
    assert {finding.check for finding in diagnosis.findings} == set(Check)
    assert list(report_lines(report))[-1] == "Clean."


DEFECTS = {
    Check.STUCK_SHARES: (
        "UPDATE task_shares SET status = 'running', receipt = NULL, finished_at = NULL",
        "UPDATE tasks SET finished_at = NULL",
    ),
    Check.STUCK_FILES: ("UPDATE knowledge_files SET status = 'PROCESSING', pieces = NULL",),
    Check.UNREAD_FILES: ("DELETE FROM memories WHERE extractor = 'document'",),
    Check.UNACCOUNTED_MESSAGES: ("DELETE FROM task_shares",),
    Check.UNFINISHED_TASKS: ("UPDATE tasks SET finished_at = NULL",),
    Check.LINGERING_TURNS: ("UPDATE memories SET status = 'activated' WHERE layer = 'WorkingMemory'",),
    Check.ORPHANED_MEMORIES: ("DELETE FROM knowledge_files",),
    Check.UNEMBEDDED_MEMORIES: ("DELETE FROM memory_vectors",),
    Check.OLD_VECTORS: (
        (
            "INSERT INTO memory_vectors (cube_id, memory_id, project_id, space, embedding)"
            " SELECT cube_id, memory_id, project_id, 'an older model', embedding FROM memory_vectors"
        ),
    ),
    Check.DUPLICATE_JOBS: (
        (
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, scheduled_at)"
            " SELECT 'default', 'production.run_share', 'nobody', jsonb_build_object("
            "'project_id', project_id, 'cube_id', cube_id, 'task_id', task_id), now() + interval '1 day'"
            " FROM task_shares, generate_series(1, 2)"
        ),
    ),
    Check.VERSIONLESS_MEMORIES: ("DELETE FROM memory_versions",),
}
INCURABLE = {
    Check.UNSOURCED_MEMORIES: ("DELETE FROM memory_sources",),
    Check.DUPLICATE_MEMORIES: (
        "CREATE TEMPORARY TABLE twin AS SELECT * FROM memories WHERE layer <> 'WorkingMemory'",
        "UPDATE twin SET id = gen_random_uuid()",
        "ALTER TABLE twin DROP COLUMN sequence",
        (
            "DO $$ DECLARE names text; BEGIN"
            " SELECT string_agg(quote_ident(attname), ', ') INTO names FROM pg_attribute"
            " WHERE attrelid = 'twin'::regclass AND attnum > 0 AND NOT attisdropped;"
            " EXECUTE format('INSERT INTO memories (%s) SELECT %s FROM twin', names, names); END $$"
        ),
    ),
}


@pytest.mark.parametrize("check", DEFECTS)
async def test_a_defect_is_found_and_repaired(service: Api, told: Client, database: DatabaseUrls, check: Check) -> None:
    break_things(database, *DEFECTS[check])
    found = counts(await service.service.doctor.examine())
    assert found[check] >= 1, found
    repaired = await service.service.doctor.examine(repair=True)
    assert check in (repaired.diagnoses[0].repaired or {})
    if check is Check.UNACCOUNTED_MESSAGES:  # what it accounts for now is stuck, and put on the queue
        await service.service.doctor.examine(repair=True)
    if check is not Check.DUPLICATE_JOBS:
        await settled(service)
    report = await service.service.doctor.examine()
    assert report.is_clean, list(report_lines(report))
    assert any("Mimi" in value for value in await told.values("What is the name of the cat?"))


@pytest.mark.parametrize("check", INCURABLE)
async def test_what_cannot_be_repaired_is_found_and_named(
    service: Api, told: Client, database: DatabaseUrls, check: Check
) -> None:
    del told
    assert not check.is_repairable
    break_things(database, *INCURABLE[check])
    report = await service.service.doctor.examine(repair=True)
    assert counts(report)[check] >= 1
    (finding,) = [one for one in report.diagnoses[0].findings if one.check is check]
    assert finding.examples
    assert any(finding.examples[0] in line for line in report_lines(report))
    await settled(service)  # what else the planted rows lack is made
    report = await service.service.doctor.examine()
    assert counts(report)[check] >= 1
    assert list(report_lines(report))[-1].startswith("Not clean, but nothing of it can be put in order by --repair")


async def test_what_is_left_to_do_is_said(service: Api, told: Client, database: DatabaseUrls) -> None:
    del told
    break_things(database, *INCURABLE[Check.UNSOURCED_MEMORIES], "UPDATE memories SET status = 'archived'")
    (made,) = query(database.owner, "SELECT count(*) FROM memories")[0]
    lines = list(report_lines(await service.service.doctor.examine()))
    assert f" 0 memories and {made} archived; " in lines[0]
    assert lines[-1].startswith("Not clean, but nothing of it can be put in order by --repair")
    break_things(database, *DEFECTS[Check.VERSIONLESS_MEMORIES])
    lines = list(report_lines(await service.service.doctor.examine()))
    assert lines[-1] == "Not clean: run `memcubed doctor --repair` for what can be put in order."


def test_every_check_has_a_planted_defect() -> None:
    assert {*DEFECTS, *INCURABLE} == set(Check)


WITHOUT_A_KEY = {
    "project_id": "the key to the cube, or to the task, leads to the project",
    "conversation_id": "the application's own, and of a file's memories the file: looked for",
    "app_id": "the application's own",
    "agent_id": "the application's own",
    "scope_id": "the cube that a search was for; what it recalled is forgotten by itself",
    "knowledge_base_id": "the cube is the base's",
    "owner_id": "the cube is of this project",
}
"""Columns that name a row without a foreign key, and why no orphan comes of that."""

ON_THEIR_OWN = {"projects", "admin_keys", "calibrations"}


def test_whatever_belongs_to_a_row_goes_with_it() -> None:
    for table in metadata.tables.values():
        keyed = {column for key in table.foreign_key_constraints for column in key.column_keys}
        named = {column.name for column in table.columns if column.name.endswith("_id")}
        assert named - keyed <= set(WITHOUT_A_KEY), table.name
        assert keyed or table.name in ON_THEIR_OWN, table.name
        assert all(key.ondelete in {"CASCADE", "SET NULL"} for key in table.foreign_key_constraints), table.name


async def test_work_on_the_queue_is_no_defect(start: StartService, database: DatabaseUrls) -> None:
    async with start(urls=database, worker=False) as api:
        client = await api.client()
        await client.add(SAID)
        report = await api.service.doctor.examine()
        assert Check.STUCK_SHARES not in counts(report)
        assert report.diagnoses[0].running == 1
        assert report.queue.waiting >= 1
        assert report.queue.oldest is not None


async def test_one_project_can_be_examined_alone(service: Api, told: Client) -> None:
    del told
    await service.client("other")
    report = await service.service.doctor.examine("other")
    assert [diagnosis.project for diagnosis in report.diagnoses] == ["other"]
    with pytest.raises(NotFoundError):
        await service.service.doctor.examine("nobody's")


async def test_repairs_of_one_project_leave_others_alone(service: Api, told: Client, database: DatabaseUrls) -> None:
    del told
    await service.client("other")
    break_things(database, "DELETE FROM memory_versions")
    await service.service.doctor.examine("other", repair=True)
    assert query(database.owner, "SELECT count(*) FROM memory_versions") == [(0,)]
