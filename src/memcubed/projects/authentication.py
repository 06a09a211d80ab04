"""Who calls: the dependency that routes take their project from."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import structlog
from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from prometheus_client import CollectorRegistry, Histogram

from memcubed.errors import InvalidKeyError, NotAllowedError, RateLimitedError
from memcubed.language.redaction import redacting
from memcubed.projects.admin_keys import AdminKeyService
from memcubed.projects.keys import hash_key
from memcubed.projects.model import Project
from memcubed.projects.refusals import FailedKeys, Limit, Refusals
from memcubed.projects.scopes import Scope, needed_scope
from memcubed.projects.service import ProjectService, read_key
from memcubed.usage.attribution import Work, begin_work, purpose_of_route

Authenticate = Callable[[Request], Awaitable[Project]]
AuthenticateAdmin = Callable[[Request], Awaitable[None]]

CallerT = TypeVar("CallerT")

log = structlog.get_logger(__name__)


class Gate:
    """What stands before every check of a key: addresses that keep sending wrong ones are refused without it."""

    def __init__(self, failed_keys: FailedKeys, refusals: Refusals) -> None:
        self._failed_keys = failed_keys
        self._refusals = refusals

    async def pass_through(self, request: Request, check: Callable[[str], Awaitable[CallerT]]) -> CallerT:
        """What `check` makes of the hash of the presented key.

        Raises MissingKeyError, RateLimitedError, and InvalidKeyError when `check` does.
        """
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
            caller = await check(key_hash)
        except InvalidKeyError:
            self._failed_keys.add_failure(address, key_hash)
            log.warning("key_refused", address=address)
            raise
        self._failed_keys.add_success(key_hash)
        return caller


class TokenAuthentication(SecurityBase):
    """`Authorization: Token <key>`, or Bearer; shown as such in the OpenAPI document.

    It also asks for the scope that the route needs, counts the request against its project's rate limit, leaves the
    project's allowance in the request's state for the answer's headers, and has the body redacted where the project
    wants that, or has no will of its own and the installation does (`redact`).
    """

    def __init__(
        self,
        projects: ProjectService,
        gate: Gate,
        refusals: Refusals,
        registry: CollectorRegistry,
        *,
        base_path: str,
        redact: bool = False,
    ) -> None:
        self.model = APIKey.model_validate(
            {"in": APIKeyIn.header, "name": "Authorization", "description": "`Token <your API key>`"}
        )
        self.scheme_name = "Token"
        self._projects = projects
        self._gate = gate
        self._refusals = refusals
        self._base_path = base_path
        self._redact = redact
        self._seconds = Histogram("memcubed_authentication_seconds", "Time to check an API key.", registry=registry)

    async def __call__(self, request: Request) -> Project:
        """The project of the presented key.

        Found once a request: a second call answers what the first one did. Raises MissingKeyError, InvalidKeyError,
        NotAllowedError or RateLimitedError.
        """
        known = getattr(request.state, "project", None)
        if isinstance(known, Project):
            return known
        with self._seconds.time():
            caller = await self._gate.pass_through(request, self._projects.authenticate)
        request.state.allowance = caller.allowance
        structlog.contextvars.bind_contextvars(project_id=str(caller.project.id))  # of refusals, too
        if caller.retry_after is not None:
            self._refusals.count(Limit.REQUESTS)
            raise RateLimitedError(
                f"Too many requests in this project; try again in {caller.retry_after} s.",
                retry_after=caller.retry_after,
            )
        route = request.scope["route"].path.removeprefix(self._base_path)
        needed = needed_scope(request.method, route)
        if needed not in caller.scopes:
            raise NotAllowedError(
                f"This call needs a key with the scope `{needed}`; this key has {_listed(caller.scopes)}."
            )
        begin_work(Work(caller.project.id, purpose_of_route(route)))
        request.state.project = caller.project
        redacting.set(caller.project.redacts(default=self._redact))  # the body is read after this
        return caller.project


class AdminAuthentication(SecurityBase):
    """`Authorization: Token <admin key>`: a key of the installation, which sees the projects from outside."""

    def __init__(self, keys: AdminKeyService, gate: Gate) -> None:
        self.model = APIKey.model_validate(
            {"in": APIKeyIn.header, "name": "Authorization", "description": "`Token <an admin key>`"}
        )
        self.scheme_name = "AdminToken"
        self._keys = keys
        self._gate = gate

    async def __call__(self, request: Request) -> None:
        """Return if the presented key is an admin key. Raises MissingKeyError, InvalidKeyError or RateLimitedError."""
        if not getattr(request.state, "is_admin", False):
            await self._gate.pass_through(request, self._keys.authenticate)
            request.state.is_admin = True


class KeyFirstRoute(APIRoute):
    """A route that checks the key before it reads the body: nobody without one makes the service parse anything.

    FastAPI reads and parses the body before it asks any dependency. The routers of all routes that take a key have
    this as their `route_class`.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request; the authentication among its dependencies comes first, and is asked once."""
        answer = super().get_route_handler()
        checks = list(_checks(self.dependant))

        async def check_and_answer(request: Request) -> Response:
            for check in checks:
                await check(request)
            return await answer(request)

        return check_and_answer


def _checks(dependant: Dependant) -> Iterator[TokenAuthentication | AdminAuthentication]:
    for needed in dependant.dependencies:
        if isinstance(needed.call, TokenAuthentication | AdminAuthentication):
            yield needed.call
        yield from _checks(needed)


def _listed(scopes: frozenset[Scope]) -> str:
    return " and ".join(f"`{scope}`" for scope in sorted(scopes)) or "none"
