"""Settings: one frozen object, read from the environment (and `.env`) and validated at start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from agent_runtime.errors import ConfigError
from agent_runtime.vault.keys import SUPABASE, MasterKey

_LIST_SIGNS = str.maketrans('[]",', "    ")


class Settings(BaseSettings):
    """What a worker needs to know. Each field is an environment variable of the same name in capitals;
    names other than the services' own take the prefix `AGENT_RUNTIME_`."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_prefix="AGENT_RUNTIME_")

    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    supabase_url: str | None = Field(default=None, validation_alias="SUPABASE_URL")
    supabase_publishable_key: str | None = Field(default=None, validation_alias="SUPABASE_PUBLISHABLE_KEY")
    supabase_secret_key: SecretStr | None = Field(default=None, validation_alias="SUPABASE_SECRET_KEY")
    storage_token: SecretStr | None = Field(
        default=None, description="For Storage instead of the secret key: a token that reaches the files alone."
    )

    vault_key: SecretStr | None = Field(default=None, description="Opens the vault: 32 bytes in base64, or `supabase`.")
    vault_previous_keys: Annotated[list[SecretStr], NoDecode] = Field(
        default_factory=list, description="Keys before it, which still open what `vault rotate` has not wrapped anew."
    )
    audit_key: SecretStr | None = Field(
        default=None, description="Signs what is left of retired months of the audit: 32 bytes in base64."
    )

    model_url: str | None = Field(default=None, description="Model server; else `ollama_base_url` of system_config.")
    model: str | None = Field(default=None, description="Use this model for every agent, whatever the agent names.")
    model_context_tokens: int = Field(default=16_384, ge=2_048, description="num_ctx, constant per model.")
    model_silence_seconds: float = Field(default=300.0, gt=0, description="Give up when the model is silent so long.")
    model_attempts: int = Field(default=4, ge=1, description="Tries of one request before the task goes back.")
    model_keep_alive: str = "10m"

    workspace_root: Path = Path(platformdirs.user_state_dir("agent-runtime")) / "workspaces"
    searxng_url: str | None = Field(default=None, description="A SearXNG that web_search asks before other engines.")
    tools_path: list[Path] = Field(default_factory=list, description="Further folders with tools.")

    concurrency: int = Field(default=4, ge=1, le=1_000)
    lease_seconds: float = Field(default=30.0, ge=1)
    stall_seconds: float = Field(
        default=300.0, gt=0, description="A worker that does not move for so long is not kept: others take its tasks."
    )
    storage_patience_seconds: float = Field(
        default=60.0, gt=0, description="How long a step waits for Storage; the end of a run waits longer."
    )
    poll_seconds: float = Field(default=5.0, gt=0, description="The net under NOTIFY.")
    unwoken_poll_seconds: float = Field(
        default=1.0,
        gt=0,
        description="Between looks for tasks where no notification comes: over REST, through a pooler.",
    )
    unwoken_control_seconds: float = Field(
        default=0.5, gt=0, description="Between looks for cancellations and pauses there, while tasks run."
    )
    echo_seconds: float = Field(
        default=30.0, gt=0, description="Between proofs that notifications arrive; without them it polls faster."
    )
    shutdown_seconds: float = Field(default=4.0, gt=0, description="For giving tasks back after SIGTERM.")
    max_steps: int = Field(default=100, ge=1)
    max_repeats: int = Field(default=3, ge=2, description="Identical calls in a row before the loop detector trips.")
    allow_unsandboxed: bool = False
    own_hosts: list[str] = Field(
        default_factory=list, description="Further `host:port` of the runtime that no tool reaches, allowed or not."
    )

    log_format: Literal["auto", "console", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("database_url")
    @classmethod
    def _database_url_is_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            require_conninfo(value.get_secret_value())
        return value

    @field_validator("vault_previous_keys", mode="before")
    @classmethod
    def _keys_are_listed(cls, value: Any) -> Any:
        # A JSON list or, since that is awkward in a shell, words with commas between them.
        return [key for key in value.translate(_LIST_SIGNS).split() if key] if isinstance(value, str) else value

    @field_validator("vault_key", "vault_previous_keys")
    @classmethod
    def _is_a_key(cls, value: Any) -> Any:
        for key in value if isinstance(value, list) else [value]:
            if key is not None and key.get_secret_value() != SUPABASE:
                MasterKey.parse(key.get_secret_value())
        return value

    @field_validator("supabase_url", "model_url", "searxng_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        return require_http(value) if value is not None else None

    def tool_config(self, name: str) -> dict[str, Any]:
        """What the settings say to a tool, where its row in `tools` says nothing."""
        return {"searxng": self.searxng_url} if name == "web_search" and self.searxng_url else {}


def require_conninfo(text: str) -> None:
    """Raises `ValueError` for what is no Postgres connection string."""
    try:
        parts = conninfo_to_dict(text)
    except ProgrammingError as error:
        # The message quotes the string, which holds a password.
        raise ValueError(
            "not a Postgres connection string; it looks like postgresql://user:password@host:5432/name"
        ) from error
    if not parts:
        raise ValueError("empty; it looks like postgresql://user:password@host:5432/name")


def require_http(url: str) -> str:
    """The URL without a slash at its end. Raises `ValueError` when it is none."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return url.rstrip("/")


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process.

    Raises `ConfigError` with one line that names each wrong variable.
    """
    try:
        return Settings(**{key: value for key, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(problem) for problem in error.errors())) from None


def _explain(problem: Any) -> str:
    field = str(problem["loc"][0]) if problem["loc"] else "settings"
    known = field.isupper()
    name = field if known else f"AGENT_RUNTIME_{field.upper()}"
    return f"{name}: {problem['msg'].removeprefix('Value error, ')}"
