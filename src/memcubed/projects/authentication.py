"""Who calls: the dependency that routes take their project from."""

from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.security.base import SecurityBase
from prometheus_client import CollectorRegistry, Histogram

from memcubed.projects.model import Project
from memcubed.projects.service import ProjectService

Authenticate = Callable[[Request], Awaitable[Project]]


class TokenAuthentication(SecurityBase):
    """`Authorization: Token <key>`, or Bearer; shown as such in the OpenAPI document."""

    def __init__(self, projects: ProjectService, registry: CollectorRegistry) -> None:
        self.model = APIKey.model_validate(
            {"in": APIKeyIn.header, "name": "Authorization", "description": "`Token <your API key>`"}
        )
        self.scheme_name = "Token"
        self._projects = projects
        self._seconds = Histogram("memcubed_authentication_seconds", "Time to check an API key.", registry=registry)

    async def __call__(self, request: Request) -> Project:
        """The project of the presented key. Raises MissingKeyError or InvalidKeyError."""
        with self._seconds.time():
            return await self._projects.authenticate(request.headers.get("Authorization"))
