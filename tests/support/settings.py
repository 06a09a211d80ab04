"""Settings that neither the environment nor an `.env` file has a say in."""

from typing import Any

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from memcubed.settings import Settings
from tests.support.scripted_llm import ScriptedServer


class IsolatedSettings(Settings):
    """What the constructor is given, and the defaults."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


# Limits that are on, as they are by default, but that no test meets by chance.
WIDE = {"requests_per_second": 100_000, "request_burst": 100_000, "tokens_per_minute": 1_000_000_000}


def make_settings(**changes: Any) -> Settings:  # noqa: ANN401 - as the fields are
    """The defaults but for what would make tests slow, or refuse what they send."""
    return IsolatedSettings(**{"task_backoff_seconds": 0.05, "failed_keys_per_minute": 0, **WIDE, **changes})


def llm_settings(server: ScriptedServer, **changes: Any) -> Settings:  # noqa: ANN401 - as the fields are
    """With the LLM extractor, on a scripted server."""
    return make_settings(llm_base_url=server.base_url, llm_model="scripted", **changes)
