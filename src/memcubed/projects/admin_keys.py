"""Keys of the installation: they open the admin API, and no project."""

from datetime import datetime

from memcubed.errors import InvalidKeyError, NotFoundError
from memcubed.projects.keys import generate_key
from memcubed.projects.model import ApiKey
from memcubed.projects.names import check_key_name
from memcubed.projects.repository import AUTHENTICATE_ADMIN, ProjectRepository
from memcubed.store.session import Database


class AdminKeyService:
    """Checks admin keys, and keeps them for the operator."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def authenticate(self, key_hash: str) -> None:
        """Return if this is the hash of an admin key. Raises InvalidKeyError."""
        if not await self._database.read(AUTHENTICATE_ADMIN, {"key_hash": key_hash}, presented_key=key_hash):
            raise InvalidKeyError("The key is no admin key of this installation, or expired or revoked.")

    async def create(self, *, name: str = "", expires_at: datetime | None = None) -> str:
        """A new admin key, which is never shown again. Raises InvalidRequestError for what can be no key's name."""
        check_key_name(name)
        key = generate_key()
        async with self._database.installation_transaction() as connection:
            await ProjectRepository(connection).add_admin_key(name, key, expires_at)
        return key.secret

    async def list_keys(self) -> list[ApiKey]:
        """The admin keys, revoked ones included."""
        async with self._database.installation_transaction() as connection:
            return await ProjectRepository(connection).list_admin_keys()

    async def revoke(self, prefix: str) -> None:
        """Revoke an admin key at once, by its visible prefix. Raises NotFoundError."""
        async with self._database.installation_transaction() as connection:
            if not await ProjectRepository(connection).revoke_admin_key(prefix):
                raise NotFoundError(f"There is no active admin key with the prefix {prefix!r}.")
