"""The bundled PostgreSQL: start it, find it, stop it.

Everything is under `home/postgres/`: `data/`, `connection.json` (mode 0600: URLs, passwords, port, pid), `server.log`
and two lock files. The server listens on 127.0.0.1 only. It outlives whoever started it, even by a `kill -9`, and the
next `start` takes it up; only `stop` stops it.

The functions block (a first start takes a second or more): call them in a thread.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from memcubed.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A bundled server that answers. The URLs (`postgresql://...`) hold passwords and are kept out of `repr`."""

    admin_url: str = field(repr=False)
    """Superuser, for migrations only."""
    service_url: str = field(repr=False)
    """Role `memcubed_service`: may log in, is no superuser and can't bypass row-level security."""
    data_dir: Path
    pid: int
    """The process id of the postmaster."""


def start(home: Path) -> EmbeddedPostgres:
    """Return the server of this home, starting (and before that creating) it if none answers.

    Safe to call at any time, from any number of processes: all get the same server.

    The database `memcubed`, the extension `vector` and the role `memcubed_service` exist afterwards. The port may
    differ from the last start's.

    Root's server runs as `nobody` (or as the owner of existing data), also if the home or the Python environment is
    below a folder that only root can enter: the data stays in the home, and programs that `nobody` can't read are
    copied once to /var/cache/memcubed.

    Raises ConfigurationError if it can't work here until the operator changes something (the message says what), and
    ServiceUnavailableError if the server doesn't answer in time, as in a long recovery; trying again can succeed then.
    """
    _check_platform()
    from memcubed.embedded import cluster  # noqa: PLC0415 - needs POSIX modules

    return cluster.start(home)


def stop(home: Path) -> bool:
    """Shut the server of this home down cleanly, ending its connections; return whether there was one.

    Raises ConfigurationError if the home can't be read, ServiceUnavailableError if the server doesn't end in time.
    """
    _check_platform()
    from memcubed.embedded import cluster  # noqa: PLC0415 - needs POSIX modules

    return cluster.stop(home)


def find_running(home: Path) -> EmbeddedPostgres | None:
    """Return the server of this home if it answers, else None; starts and changes nothing.

    Raises ConfigurationError if the home can't be read.
    """
    _check_platform()
    from memcubed.embedded import cluster  # noqa: PLC0415 - needs POSIX modules

    return cluster.find_running(home)


def exists(home: Path) -> bool:
    """Whether this home has a server, running or not; starts and changes nothing.

    Raises ConfigurationError if the home can't be read.
    """
    _check_platform()
    from memcubed.embedded import cluster  # noqa: PLC0415 - needs POSIX modules

    return cluster.exists(home)


def is_stopping(home: Path) -> bool:
    """Whether the server of this home was told to end, and still waits for its clients to go; asks no server.

    Such a server takes no new connections, however long the old ones stay: `start` ends it and starts it anew.
    """
    _check_platform()
    from memcubed.embedded import cluster  # noqa: PLC0415 - needs POSIX modules

    return cluster.is_stopping(home)


def _check_platform() -> None:
    if sys.platform == "win32":
        raise ConfigurationError(
            "The bundled PostgreSQL doesn't run on Windows: set MEMCUBED_DATABASE_URL to a PostgreSQL of your own "
            "(16 or later, with pgvector), or run memcubed under WSL."
        )
