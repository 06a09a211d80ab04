"""A start while something it needs does not answer: the service works, and catches up."""

import pytest

from tests.conftest import StartService
from tests.support.api import eventually
from tests.support.databases import query
from tests.support.models import model_server, model_settings
from tests.support.scripted_llm import Answer, Json, status_answer
from tests.support.settings import make_settings


async def test_an_embedding_endpoint_that_was_away_at_the_start_is_calibrated_later(
    start: StartService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memcubed.bootstrap.service._PREPARE_SECONDS", 0.05)
    with model_server() as model:
        usual = model.embedding_script
        is_away = True

        def script(body: Json) -> Answer | None:
            return status_answer(500) if is_away or usual is None else usual(body)

        model.embedding_script = script
        async with start(make_settings(**model_settings(model))) as api:
            assert query(api.urls.owner, "SELECT space FROM calibrations") == []
            is_away = False

            async def is_calibrated() -> bool:
                return len(query(api.urls.owner, "SELECT space FROM calibrations")) == 1

            await eventually(is_calibrated)
