"""One PostgreSQL for the whole session, and services on databases of it."""

import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import structlog

from memcubed import embedded
from memcubed.bootstrap import DatabaseUrls
from memcubed.embedded import EmbeddedPostgres
from memcubed.providers.embeddings import Embedder
from memcubed.providers.embeddings.scripted import HashEmbedder
from memcubed.settings import Settings
from tests.support.api import Api, Client, serving
from tests.support.databases import Databases
from tests.support.settings import make_settings

# What a test prints is shown when it fails; a line for every request would hide what matters.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

StartService = Callable[..., AbstractAsyncContextManager[Api]]


MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - folders in it are made by mkdtemp
ENOUGH_BYTES = 2_000_000_000


def make_home() -> Path:
    """A folder for a bundled server, in memory where there is room: the server forces every commit to the disk."""
    has_room = MEMORY_DISK.is_dir() and shutil.disk_usage(MEMORY_DISK).free > ENOUGH_BYTES
    return Path(tempfile.mkdtemp(prefix="memcubed-test-", dir=MEMORY_DISK if has_room else None))


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    home = make_home()
    yield embedded.start(home)
    embedded.stop(home)
    shutil.rmtree(home)


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that a test starts services of its own in."""
    home = make_home()
    yield home
    embedded.stop(home)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _quick_retries() -> Iterator[None]:
    """Workers in this process look more often for jobs that are due again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("memcubed.store.queue._POLL_SECONDS", 0.1)
        yield


@pytest.fixture(scope="session")
def databases(postgres: EmbeddedPostgres) -> Databases:
    return Databases(postgres)


@pytest.fixture
def database(databases: Databases) -> Iterator[DatabaseUrls]:
    """A migrated database that no other test uses."""
    with databases.migrated() as urls:
        yield urls


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[DatabaseUrls]:
    with databases.empty() as urls:
        yield urls


@pytest.fixture(scope="session")
async def api(databases: Databases) -> AsyncIterator[Api]:
    """The service that tests share: local extractor, no model for embeddings, a worker."""
    with databases.migrated() as urls:
        async with serving(make_settings(), urls, embedder=HashEmbedder()) as running:
            yield running


@pytest.fixture
async def client(api: Api) -> Client:
    """A key of a project of this test's own."""
    return await api.client()


@pytest.fixture
def start(databases: Databases) -> StartService:
    """Start a service of this test's own, on a database of its own unless one is given."""
    return _starting(databases)


@pytest.fixture(scope="module")
def start_module(databases: Databases) -> StartService:
    """The same, for a service that the tests of a module share."""
    return _starting(databases)


def _starting(databases: Databases) -> StartService:

    @asynccontextmanager
    async def start_service(
        settings: Settings | None = None,
        *,
        urls: DatabaseUrls | None = None,
        embedder: Embedder | None = None,
        worker: bool = True,
    ) -> AsyncIterator[Api]:
        chosen = make_settings() if settings is None else settings
        stand_in = HashEmbedder() if embedder is None and chosen.embedding_base_url is None else embedder
        if urls is not None:
            async with serving(chosen, urls, embedder=stand_in, worker=worker) as running:
                yield running
            return
        with databases.migrated() as fresh:
            async with serving(chosen, fresh, embedder=stand_in, worker=worker) as running:
                yield running

    return start_service
