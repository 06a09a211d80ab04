"""The file that remembers how to reach the bundled server."""

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from memcubed.embedded.privileges import open_private

HOST = "127.0.0.1"
DATABASE = "memcubed"
ADMIN_ROLE = "postgres"
SERVICE_ROLE = "memcubed_service"


@dataclass(frozen=True, slots=True)
class Connection:
    """The content of `connection.json`: the passwords of this cluster and where it listened last.

    The passwords are the truth; `port` and `pid` (0: not started yet) only repeat what the server's own
    `postmaster.pid` says, for people and for the choice of the next port.
    """

    admin_password: str = field(repr=False)
    service_password: str = field(repr=False)
    port: int = 0
    pid: int = 0

    @classmethod
    def generate(cls) -> Self:
        """Return new random passwords, of letters, digits, `-` and `_` only (safe in URLs and in SQL literals)."""
        return cls(admin_password=secrets.token_urlsafe(24), service_password=secrets.token_urlsafe(24))

    @property
    def admin_url(self) -> str:
        """The superuser's URL to the database `memcubed`."""
        return self._url(ADMIN_ROLE, self.admin_password, DATABASE)

    @property
    def maintenance_url(self) -> str:
        """The superuser's URL to the database `postgres`, which exists before `memcubed` does."""
        return self._url(ADMIN_ROLE, self.admin_password, "postgres")

    @property
    def service_url(self) -> str:
        """The service role's URL to the database `memcubed`."""
        return self._url(SERVICE_ROLE, self.service_password, DATABASE)

    def _url(self, role: str, password: str, database: str) -> str:
        return f"postgresql://{role}:{password}@{HOST}:{self.port}/{database}"

    def save(self, path: Path) -> None:
        """Write the file, mode 0600, so that a crash leaves either the old content or the new."""
        content = {
            "admin_url": self.admin_url,
            "service_url": self.service_url,
            "admin_password": self.admin_password,
            "service_password": self.service_password,
            "port": self.port,
            "pid": self.pid,
        }
        unfinished = path.with_suffix(".json.new")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(open_private(unfinished, os.O_WRONLY), "w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        sync_folder(path.parent)

    @classmethod
    def find(cls, path: Path) -> Self | None:
        """Read the file; None if it is missing or damaged. Raises PermissionError if it belongs to someone else."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                admin_password=str(content["admin_password"]),
                service_password=str(content["service_password"]),
                port=int(content["port"]),
                pid=int(content["pid"]),
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
