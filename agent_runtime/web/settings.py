"""Settings of the web UI's server. It never reads the secret key, so it cannot give it away."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from agent_runtime.config import require_conninfo, require_http
from agent_runtime.errors import ConfigError

_PREFIX = "AGENT_RUNTIME_WEB_"


class WebSettings(BaseSettings):
    """Each field is an environment variable of the same name in capitals; names other than the services' own take the
    prefix `AGENT_RUNTIME_WEB_`."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_prefix=_PREFIX)

    supabase_url: str = Field(validation_alias="SUPABASE_URL")
    publishable_key: str = Field(validation_alias="SUPABASE_PUBLISHABLE_KEY")
    database_url: SecretStr | None = Field(
        default=None, validation_alias="DATABASE_URL", description="As agent_worker; without it timelines go over REST."
    )

    bundle: Path | None = Field(default=None, description="A folder with a build, instead of the one that is found.")
    streams: int = Field(default=1_000, ge=1, description="Live streams of this process.")
    streams_per_person: int = Field(default=20, ge=1, description="Live streams of one person on this process.")
    read_seconds: float = Field(default=0.1, gt=0, description="Between looks at the watched timelines.")
    rest_read_seconds: float = Field(default=0.5, gt=0, description="The same without DATABASE_URL.")
    recheck_seconds: float = Field(default=3.0, gt=0, description="Between questions whether a person may still see.")
    hold_seconds: float = Field(
        default=6.0, gt=0, description="Nothing is sent when the last such answer is older than this."
    )
    session_seconds: float = Field(default=15.0, gt=0, description="Between questions whether a session still lives.")
    beat_seconds: float = Field(default=10.0, gt=0, description="A stream is never silent for longer.")
    stall_seconds: float = Field(default=20.0, gt=0, description="A client that takes nothing for so long is ended.")
    watch_seconds: float = Field(default=10.0, gt=0, description="Between words to the workers of what is watched.")
    shutdown_seconds: float = Field(default=4.0, gt=0, description="For ending streams after SIGTERM.")

    proxy_supabase: bool = Field(
        default=False,
        description="Pass /supabase on to SUPABASE_URL: for the embedded API, which answers no preflight.",
    )
    magic_link: bool | None = Field(default=None, description="Offer sign-in by e-mail; else as Auth's settings say.")

    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", validation_alias=AliasChoices("AGENT_RUNTIME_LOG_FORMAT")
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias=AliasChoices("AGENT_RUNTIME_LOG_LEVEL")
    )

    @field_validator("database_url")
    @classmethod
    def _database_url_is_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            require_conninfo(value.get_secret_value())
        return value

    @field_validator("supabase_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        return require_http(value)

    @field_validator("bundle")
    @classmethod
    def _has_a_page(cls, value: Path | None) -> Path | None:
        if value is not None and not (value / "index.html").is_file():
            raise ValueError(f"{value} holds no build of the web UI: there is no index.html")
        return value

    @field_validator("publishable_key")
    @classmethod
    def _is_no_secret(cls, value: str) -> str:
        if not value or is_secret_key(value):
            raise ValueError("must be the publishable key: every browser is given it, and this is a secret one")
        return value


def is_secret_key(key: str) -> bool:
    """Whether a key of a Supabase project reaches past row-level security."""
    if key.startswith("sb_secret_"):
        return True
    try:
        claims = json.loads(base64.urlsafe_b64decode(key.split(".")[1] + "=="))
    except (IndexError, ValueError):
        return False
    return isinstance(claims, dict) and claims.get("role") not in (None, "anon", "authenticated")


def load_web_settings(**overrides: Any) -> WebSettings:
    """The settings of this process. Raises `ConfigError` with one line that names each wrong or missing variable."""
    try:
        return WebSettings(**overrides)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(problem) for problem in error.errors())) from None


def _explain(problem: Any) -> str:
    field = str(problem["loc"][0]) if problem["loc"] else "settings"
    name = field if field.isupper() else f"{_PREFIX}{field.upper()}"
    if problem["type"] == "missing":
        return f"{name} is not set: the project's dashboard shows it; or start everything with `agent-runtime up`"
    return f"{name}: {problem['msg'].removeprefix('Value error, ')}"
