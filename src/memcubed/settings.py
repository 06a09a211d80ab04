"""Everything an operator can set. Nothing else reads the environment.

Each setting is an environment variable with the prefix `MEMCUBED_`; an `.env` file in the working directory is
read as well. `docs/operations.md` has them all, and a test holds the two together.
"""

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from memcubed.errors import ConfigurationError

_OF_COMPOSE: Final = frozenset({"MEMCUBED_PUBLISH", "MEMCUBED_SERVICE_PASSWORD"})
_KEY: Final = re.compile(r"[!-~]+")
_KEY_OR_ADDRESS: Final = (
    "MEMCUBED_{0}_MODEL needs MEMCUBED_{0}_API_KEY beside it for OpenAI, or MEMCUBED_{0}_BASE_URL of another endpoint"
)


def _alias(name: str, *others: str) -> AliasChoices:
    return AliasChoices(f"MEMCUBED_{name}", *others)


class Settings(BaseSettings):
    """The settings of one installation, read once at start."""

    model_config = SettingsConfigDict(
        env_prefix="MEMCUBED_", env_file=".env", extra="ignore", env_ignore_empty=True, populate_by_name=True
    )

    home: Path = Field(default=Path("~/.memcubed"), description="Folder of all state when no database URL is set.")

    # HTTP
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    public_url: str | None = Field(
        default=None, description="Address of the service in its answers (skill_url); empty: as each request named it."
    )
    max_request_bytes: int = Field(
        default=16_000_000, gt=0, description="Largest request body; a larger one is refused before it is read."
    )
    cors_origins: str = Field(
        default="", description="Origins whose pages may call from a browser, with commas between; `*`: all."
    )
    api_docs: bool = Field(default=True, description="Whether /docs, /redoc and /openapi.json are served.")
    add_max_tokens: int = Field(default=40_000, gt=0, description="Token limit of one add/message call.")
    query_max_tokens: int = Field(default=40_000, gt=0, description="Token limit of one search query.")
    memory_max_tokens: int = Field(default=8_000, gt=0, description="Token limit of content in update/memory.")
    extract_max_tokens: int = Field(default=8_000, gt=0, description="Token limit of one extract/memory call.")
    chat_max_tokens: int = Field(
        default=8_000, gt=0, description="Token limit of query and system_prompt of one chat call."
    )
    rerank_max_tokens: int = Field(default=40_000, gt=0, description="Token limit of one rerank call.")
    rerank_max_documents: int = Field(default=1000, gt=0, description="Most documents of one rerank call.")
    requests_per_second: float = Field(
        default=50.0, ge=0, description="Requests of a project a second, in the long run; 0: as many as come."
    )
    request_burst: int = Field(default=100, ge=1, description="Requests of a project at once, after a pause.")
    tokens_per_minute: int = Field(
        default=400_000, ge=0, description="Input tokens of a project a minute; 0: as many as come."
    )
    failed_keys_per_minute: int = Field(
        default=30, ge=0, description="Requests with a wrong key from one address a minute; 0: as many as come."
    )
    sync_wait_seconds: float = Field(
        default=20.0, ge=0, description="How long add/message with async_mode=false waits before it answers `running`."
    )

    # Database
    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL URL the service connects with; empty: the bundled PostgreSQL."
    )
    migration_database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL URL of the tables' owner, for `migrate`; empty: DATABASE_URL."
    )
    database_pool_size: int = Field(default=10, ge=2, description="Connections kept open by one process.")
    default_timezone: str = Field(default="UTC", description="IANA time zone of new projects.")

    # Language model
    llm_base_url: str | None = Field(
        default=None,
        validation_alias=_alias("LLM_BASE_URL", "OPENAI_BASE_URL"),
        description="OpenAI-compatible endpoint of the extractor, such as https://api.openai.com/v1.",
    )
    llm_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=_alias("LLM_API_KEY", "OPENAI_API_KEY"),
        description="Its key; endpoints without one need none.",
    )
    llm_model: str | None = Field(
        default=None,
        validation_alias=_alias("LLM_MODEL", "OPENAI_MODEL"),
        description="Its model's name; the LLM extractor runs when this is set.",
    )
    llm_timeout_seconds: float = Field(default=120.0, gt=0, description="Time limit of one call to the model.")
    llm_stream_seconds: float = Field(default=600.0, gt=0, description="Time limit of one streamed chat answer.")
    llm_concurrency: int = Field(default=4, ge=1, description="Calls to the model at once from one process.")
    chat_models: str = Field(
        default="", description="Other models of the endpoint that chat's model_name may name, with commas between."
    )
    llm_total_concurrency: int = Field(
        default=0, ge=0, description="Calls to the model at once from all processes together; 0: no such bound."
    )
    daily_token_budget: int = Field(
        default=0, ge=0, description="Model tokens that a project may use a day, unless it has its own; 0: no limit."
    )
    llm_window_tokens: int = Field(
        default=3000, ge=200, description="A longer conversation is cut at turns into windows of this many tokens."
    )
    llm_max_answer_tokens: int = Field(default=1500, ge=100, description="Answer tokens of one extraction call.")

    vision_model: str | None = Field(
        default=None, description="Model that describes images in messages; empty: images are not read."
    )
    vision_base_url: str | None = Field(default=None, description="Its OpenAI-compatible endpoint; empty: the LLM's.")
    vision_api_key: SecretStr | None = Field(
        default=None, description="Its key; empty: the LLM's, when the endpoint is the LLM's too."
    )

    # Embeddings
    embedding_base_url: str | None = Field(
        default=None, description="OpenAI-compatible endpoint for embeddings; empty: the local model."
    )
    embedding_api_key: SecretStr | None = Field(default=None, description="Its key.")
    embedding_model: str | None = Field(default=None, description="Its model's name.")
    embedding_dimensions: int | None = Field(
        default=None, ge=1, le=4000, description="Vector length to ask for; empty: what the model gives."
    )
    embedding_query_prefix: str = Field(default="", description="Put before every query, for models that want one.")
    embedding_document_prefix: str = Field(default="", description="Put before every memory.")
    embedding_timeout_seconds: float = Field(default=10.0, gt=0, description="Time limit of one embedding call.")
    embedding_cache_size: int = Field(default=4096, ge=0, description="Queries whose vectors are kept in memory.")

    # Recall
    rerank_base_url: str | None = Field(
        default=None, description="Endpoint whose /rerank orders search results, such as https://api.jina.ai/v1."
    )
    rerank_api_key: SecretStr | None = Field(default=None, description="Its key; endpoints without one need none.")
    rerank_model: str | None = Field(default=None, description="Its model; servers of a single model need none.")
    rerank_timeout_seconds: float = Field(
        default=1.0, gt=0, description="How long a search waits for it before it answers without."
    )
    query_rewrite: bool = Field(
        default=False, description="Let the language model rewrite queries; the original is searched as well."
    )
    query_rewrite_timeout_seconds: float = Field(
        default=2.0, gt=0, description="How long a search waits for that before it takes the query alone."
    )

    redact: bool = Field(
        default=False,
        description="Whether addresses, phone, card, ID numbers and keys are redacted, where a project has no choice.",
    )

    # Files
    fetch_urls: bool = Field(default=True, description="Whether files are fetched from URLs that requests give.")
    fetch_allowed_hosts: str = Field(
        default="",
        description="Hosts (host or host:port, commas between) to fetch from although their addresses are private.",
    )
    fetch_timeout_seconds: float = Field(default=60.0, gt=0, description="Time limit of fetching one file.")
    fetch_max_bytes: int = Field(default=100_000_000, gt=0, description="Largest file that is fetched.")
    document_max_bytes: int = Field(default=100_000_000, gt=0, description="Largest file that is read.")
    document_max_pages: int = Field(default=500, gt=0, description="Most pages of a PDF that is read.")
    document_max_characters: int = Field(default=5_000_000, gt=0, description="Most text of a document that is read.")
    document_timeout_seconds: int = Field(
        default=300, gt=0, description="Time limit of reading one document, in a process of its own."
    )
    document_memory_mb: int = Field(default=1000, ge=200, description="Memory limit of that process.")
    files_max_bytes: int = Field(default=300_000_000, gt=0, description="Most bytes in all the files of a request.")
    files_max_count: int = Field(default=20, gt=0, description="Most files in a request.")

    # Worker
    worker_concurrency: int = Field(default=4, ge=1, description="Jobs that one worker runs at once.")
    task_attempts: int = Field(default=6, ge=1, description="How often a failing task is tried before it fails.")
    task_backoff_seconds: float = Field(
        default=2.0, gt=0, description="Wait before the second try; it doubles with each further one, up to 5 minutes."
    )

    # Logs
    queue_age_seconds: float = Field(
        default=300.0, gt=0, description="A job that has waited longer makes the service's health `degraded`."
    )
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="Port on which `memcubed worker` serves health and metrics."
    )
    otlp_endpoint: str | None = Field(
        default=None,
        validation_alias=_alias("OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="OpenTelemetry collector (OTLP over HTTP) that traces are sent to; empty: none are made.",
    )
    log_format: Literal["text", "json"] = Field(default="text", description="Format of the log lines.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least severe level.")

    @field_validator("home")
    @classmethod
    def _expand(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("database_url", "migration_database_url")
    @classmethod
    def _leads_to_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not _is_postgresql(url.get_secret_value()):
            raise ValueError("it must be a URL such as postgresql://user:password@host:5432/database")
        return url

    @field_validator("default_timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name!r} is no IANA time zone") from error
        return name

    @field_validator(
        "llm_base_url", "vision_base_url", "embedding_base_url", "rerank_base_url", "otlp_endpoint", "public_url"
    )
    @classmethod
    def _leads_to_http(cls, url: str | None) -> str | None:
        if url is not None and not _is_http(url):
            raise ValueError("it must be a URL such as https://api.example.com/v1")
        return url

    @field_validator("llm_api_key", "vision_api_key", "embedding_api_key", "rerank_api_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not _KEY.fullmatch(key.get_secret_value()):
            raise ValueError("a key is made of ASCII characters without spaces; copy it again")
        return key

    @model_validator(mode="after")
    def _openai_gets_a_key(self) -> Self:
        has_key = self.llm_api_key is not None
        if self.llm_model is not None and self.llm_base_url is None and not has_key:
            raise ValueError(_KEY_OR_ADDRESS.format("LLM"))
        has_endpoint = self.vision_base_url is not None or self.llm_base_url is not None
        if self.vision_model is not None and not has_endpoint and not has_key and self.vision_api_key is None:
            raise ValueError(_KEY_OR_ADDRESS.format("VISION"))
        return self

    @model_validator(mode="after")
    def _embedding_endpoint_is_whole(self) -> Self:
        if self.embedding_base_url and not self.embedding_model:
            raise ValueError("MEMCUBED_EMBEDDING_BASE_URL needs MEMCUBED_EMBEDDING_MODEL beside it")
        return self

    @model_validator(mode="after")
    def _rewriting_has_a_model(self) -> Self:
        if self.query_rewrite and self.llm_model is None:
            raise ValueError("MEMCUBED_QUERY_REWRITE needs MEMCUBED_LLM_MODEL beside it")
        return self

    @cached_property
    def uses_bundled_database(self) -> bool:
        """Whether the service runs its own PostgreSQL under `home`."""
        return self.database_url is None


def load_settings() -> Settings:
    """The settings of this environment. Raises ConfigurationError, naming the variable that is wrong."""
    try:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ConfigurationError(f"The file .env in the working directory can't be read: {reason}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        where = f"MEMCUBED_{name.removeprefix('MEMCUBED_')}: " if name else ""
        raise ConfigurationError(f"{where}{first['msg'].removeprefix('Value error, ')}.") from error


def unknown_names() -> list[str]:
    """Names in the environment and the `.env` file that begin as settings do, and are none: most likely misspelt."""
    fields = Settings.model_fields
    known = {f"MEMCUBED_{name}".upper() for name in fields} | _OF_COMPOSE
    given = {name.upper() for name in (*os.environ, *dotenv_values(str(Settings.model_config["env_file"])))}
    return sorted(name for name in given - known if name.startswith("MEMCUBED_"))


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError when it is no number
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _is_postgresql(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError when it is no number
    except ValueError:
        return False
    return parts.scheme.partition("+")[0] in {"postgresql", "postgres"} and "://" in url


def sqlalchemy_url(url: str) -> str:
    """The URL with the driver that SQLAlchemy is to use, whatever form the operator wrote."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="postgresql+psycopg"))


def libpq_url(url: str) -> str:
    """The URL as libpq wants it, without a SQLAlchemy driver name."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="postgresql"))
