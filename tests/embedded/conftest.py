"""Homes for the bundled server. pytest's own folders are mode 0700, so root's server never reaches them by path."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from memcubed.embedded import start, stop


@pytest.fixture
def empty_home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    stop(home)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with data, shared by all tests: whatever one does to it, the next has to start from."""
    home = tmp_path_factory.mktemp("embedded") / "home"
    start(home)
    yield home
    stop(home)
    shutil.rmtree(home)


@pytest.fixture
def stopped_home(home: Path) -> Path:
    """The shared home, without a server."""
    stop(home)
    return home
