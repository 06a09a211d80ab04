"""Clients of the hosted platform, and a service that has all they ask for."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from tests.clients.sdk.calls import INSTALLED, Given, Sdk, sdk_running
from tests.conftest import StartService
from tests.support.api import Api, Client
from tests.support.scripted_llm import ScriptedServer, echo_everything
from tests.support.settings import llm_settings

Call = Callable[..., Awaitable[Given]]


@pytest.fixture(scope="session")
async def sdk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sdk]:
    if not INSTALLED.exists():
        pytest.skip("the official SDK is not installed: `make test-clients` does it, where PyPI can be reached")
    async with sdk_running(tmp_path_factory.mktemp("sdk")) as running:
        yield running


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedServer]:
    with ScriptedServer(echo_everything) as running:
        yield running


@pytest.fixture(scope="module")
async def service(model: ScriptedServer, start_module: StartService) -> AsyncIterator[Api]:
    async with start_module(llm_settings(model)) as running:
        yield running


@pytest.fixture
async def caller(service: Api) -> Client:
    """A key of a project of this test's own, at the service that has a model."""
    return await service.client()


@pytest.fixture
def call(sdk: Sdk, caller: Client) -> Call:
    """Call a method of MemOSClient, which is given nothing but a base URL and a key."""
    base_url = str(caller.http.base_url).rstrip("/")

    async def called(method: str, **arguments: object) -> Given:
        return await sdk.call(caller.key, base_url, method, dict(arguments))

    return called
