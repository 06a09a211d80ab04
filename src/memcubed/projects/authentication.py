"""Who calls: the dependency that routes take their project from."""

from collections.abc import Awaitable, Callable

import structlog
from fastapi import Request
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.security.base import SecurityBase
from prometheus_client import CollectorRegistry, Histogram

from memcubed.errors import InvalidKeyError, RateLimitedError
from memcubed.projects.keys import hash_key
from memcubed.projects.model import Project
from memcubed.projects.refusals import FailedKeys, Limit, Refusals
from memcubed.projects.service import Caller, ProjectService, read_key

Authenticate = Callable[[Request], Awaitable[Project]]

log = structlog.get_logger(__name__)


class TokenAuthentication(SecurityBase):
    """`Authorization: Token <key>`, or Bearer; shown as such in the OpenAPI document.

    It also counts the request against its project's rate limit, and leaves the project's allowance in the request's
    state for the answer's headers. Addresses that keep sending wrong keys are refused before the database is asked.
    """

    def __init__(
        self, projects: ProjectService, failed_keys: FailedKeys, refusals: Refusals, registry: CollectorRegistry
    ) -> None:
        self.model = APIKey.model_validate(
            {"in": APIKeyIn.header, "name": "Authorization", "description": "`Token <your API key>`"}
        )
        self.scheme_name = "Token"
        self._projects = projects
        self._failed_keys = failed_keys
        self._refusals = refusals
        self._seconds = Histogram("memcubed_authentication_seconds", "Time to check an API key.", registry=registry)

    async def __call__(self, request: Request) -> Project:
        """The project of the presented key. Raises MissingKeyError, InvalidKeyError or RateLimitedError."""
        with self._seconds.time():
            caller = await self._identify(request)
        request.state.allowance = caller.allowance
        if caller.retry_after is not None:
            self._refusals.count(Limit.REQUESTS)
            raise RateLimitedError(
                f"Too many requests in this project; try again in {caller.retry_after} s.",
                retry_after=caller.retry_after,
            )
        return caller.project

    async def _identify(self, request: Request) -> Caller:
        key_hash = hash_key(read_key(request.headers.get("Authorization")))
        address = "" if request.client is None else request.client.host
        wait = self._failed_keys.wait_seconds(address, key_hash)
        if wait:
            self._refusals.count(Limit.FAILED_KEYS)
            raise RateLimitedError(
                f"Too many requests with a wrong API key came from this address; try again in {wait} s.",
                retry_after=wait,
            )
        try:
            caller = await self._projects.authenticate(key_hash)
        except InvalidKeyError:
            self._failed_keys.add_failure(address, key_hash)
            log.warning("key_refused", address=address)
            raise
        self._failed_keys.add_success(key_hash)
        return caller
