"""The bundled PostgreSQL, started again when it died under a running service."""

import asyncio
from typing import Final

import structlog

from memcubed import embedded
from memcubed.bootstrap.database import DatabaseUrls
from memcubed.errors import MemcubedError
from memcubed.settings import Settings
from memcubed.store.session import UNAVAILABLE_ERRORS, Database

log = structlog.get_logger(__name__)

_WATCH_SECONDS: Final = 3.0


async def keep_database(database: Database, settings: Settings, urls: DatabaseUrls) -> None:
    """Start it again whenever it died, for as long as this runs."""
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        if not await _serves(database, settings):
            await asyncio.to_thread(_revive, settings, urls)


async def _serves(database: Database, settings: Settings) -> bool:
    try:
        await database.read("SELECT 1", {})
    except UNAVAILABLE_ERRORS:
        return False
    return not await asyncio.to_thread(embedded.is_stopping, settings.home)


def _revive(settings: Settings, urls: DatabaseUrls) -> None:
    try:
        if embedded.find_running(settings.home) is not None:
            return  # it lives, and was only busy
        revived = embedded.start(settings.home)
    except MemcubedError as error:
        log.error("database_not_revived", reason=error.message)  # noqa: TRY400 - the message says it all
        return
    log.warning("database_revived")
    if revived.service_url != urls.service:
        log.error("database_moved", reason="Its port was taken meanwhile: restart this service.")
