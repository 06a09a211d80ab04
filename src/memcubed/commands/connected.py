"""What commands have in common that work on the database of a service, running or not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from memcubed import bootstrap
from memcubed.bootstrap import DatabaseUrls, Service
from memcubed.logs import configure_logs
from memcubed.settings import Settings, load_settings

T = TypeVar("T")


def with_service(use: Callable[[Service], Awaitable[T]]) -> T:
    """What a use of the service gives; no job runs meanwhile. Starts the bundled database when it does not run."""
    settings = load_settings()
    configure_logs(settings.log_format, "warning")
    urls = bootstrap.existing_database(settings)
    try:
        return asyncio.run(_use(settings, urls, use))
    finally:
        bootstrap.release_database(settings, urls)


async def _use(settings: Settings, urls: DatabaseUrls, use: Callable[[Service], Awaitable[T]]) -> T:
    service = Service(settings, urls)
    async with service.connected():
        return await use(service)
