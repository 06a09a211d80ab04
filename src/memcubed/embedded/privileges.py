"""Whom the server runs as. PostgreSQL refuses to run as root, so root's server runs as another account.

That account needs no way to the data by its path. `MEMCUBED_HOME` may lie under a folder that only root can enter
(`/root` is mode 0700), and memcubed never changes folders that it didn't create. A process keeps the working directory
that it had before it gave up its rights, and Linux resolves `/proc/self/cwd` to that directory without walking its
parents; so a demoted server is started inside its data directory and is told `-D /proc/self/cwd`.
"""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from memcubed.errors import ConfigurationError

_WORKING_DIRECTORY = Path("/proc/self/cwd")
_NOBODY = 65534  # Where /etc/passwd has no `nobody`, as in some minimal images; the number is Linux's own default.


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group of the operating system; `demoted` says that we are root and have to switch to it."""

    uid: int
    gid: int
    demoted: bool


def account_for(data: Path) -> Account:
    """Return whom the server of this data directory runs as: the owner of the data.

    For data that doesn't exist yet that is us, or `nobody` if we are root.

    Raises ConfigurationError if the data belongs to another user and we aren't root, or if we are root on a system
    without /proc.
    """
    owner = data.stat() if data.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise ConfigurationError(
                f"{data} belongs to user {owner.st_uid}: run memcubed as that user, or set another MEMCUBED_HOME."
            )
        return Account(os.geteuid(), os.getegid(), demoted=False)
    if not _WORKING_DIRECTORY.exists():
        raise ConfigurationError(
            "The bundled PostgreSQL can't be run by root on this system: run memcubed as an ordinary user, "
            "or set MEMCUBED_DATABASE_URL to a PostgreSQL of your own."
        )
    if owner is not None and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid, demoted=True)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Account(_NOBODY, _NOBODY, demoted=True)
    return Account(nobody.pw_uid, nobody.pw_gid, demoted=True)


def data_argument(account: Account, data: Path) -> str:
    """Return what to pass as `-D` to a program that `spawn` starts inside `data`."""
    return str(_WORKING_DIRECTORY if account.demoted else data)


def spawn(
    command: Sequence[str | Path],
    account: Account,
    folder: Path,
    *,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    output: IO[bytes] | int,
    inherit: int | None = None,
    environment: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program as `account` inside `folder`, in a session of its own so that no terminal's Ctrl-C reaches it.

    `inherit` is a descriptor that the program and its children keep open. The environment is not ours but a small
    fixed one (PGDATA, PGOPTIONS and locales of the caller must not leak in) plus `environment`. Both outputs go to
    `output`. Raises OSError if the program can't be executed by that account.
    """
    return subprocess.Popen(  # noqa: S603 - the command is built by this package, no shell
        [str(part) for part in command],
        user=account.uid if account.demoted else None,
        group=account.gid if account.demoted else None,
        extra_groups=[] if account.demoted else None,
        cwd=folder,
        umask=0o077,
        start_new_session=True,
        pass_fds=() if inherit is None else (inherit,),
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"} | (environment or {}),
        stdin=stdin,
        stdout=output,
        stderr=output,
    )


def open_private(path: Path, flags: int) -> int:
    """Open a state file, creating it with mode 0600; return the descriptor.

    When root creates it in a folder of someone else, it goes to the owner of the folder, who has to be able to go on
    alone later.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor
