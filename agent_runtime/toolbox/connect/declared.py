"""A row of the `tools` table written down in a file, to be tried here and added there.

name: weather
type: api
description: The weather of a city, today.
parameters: {type: object, properties: {city: {type: string}}, required: [city]}
config: {url: "https://weather.example/v1/{{city}}"}
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from agent_runtime.errors import InvalidInput
from agent_runtime.records import ToolRow
from agent_runtime.toolbox.definition import RetryClass, SecurityLevel

FILE_LIMIT_BYTES = 1024 * 1024
ENDINGS = (".yaml", ".yml", ".json")


class Declaration(BaseModel):
    """What a file may say of a row; what it leaves out is as careful as can be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern="^[a-z][a-z0-9_]{0,63}$")
    type: Literal["api", "shell", "python", "mcp"]
    description: str = Field(min_length=1)
    display_name: str | None = Field(default=None, min_length=1, max_length=255)
    category: str = Field(default="custom", min_length=1, max_length=100)
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    config: dict[str, Any] = Field(default_factory=dict)
    code: str | None = None
    security_level: SecurityLevel = "moderate"
    requires_confirmation: bool = True
    retry_class: RetryClass = "unsafe"
    outward: bool = True
    destination: str | None = None
    timeout_seconds: int = Field(default=60, ge=1, le=86_400)
    output_limit_bytes: int = Field(default=16_384, ge=256, le=131_072)

    @field_validator("category")
    @classmethod
    def _not_of_the_loop(cls, value: str) -> str:
        if value == "control":
            raise ValueError("control tools are part of the loop")
        return value

    def as_row(self) -> ToolRow:
        """As a worker is given it."""
        return ToolRow(
            id=uuid.uuid4(),
            name=self.name,
            description=self.description,
            category=self.category,
            function_schema=self._function_schema(),
            implementation_type=self.type,
            implementation_code=self.code,
            retry_class=self.retry_class,
            timeout_seconds=self.timeout_seconds,
            output_limit_bytes=self.output_limit_bytes,
            config=self.config,
        )

    def as_declaration(self, tenant: str | None) -> dict[str, Any]:
        """As `sync_tools` takes it: the table's columns, and the slug of the tenant whose it is."""
        return {
            **self.model_dump(exclude={"type", "code", "parameters", "display_name", "destination"}),
            "display_name": self.display_name or self.name,
            "function_schema": self._function_schema(),
            "implementation_type": self.type,
            "implementation_code": self.code,
            "destination": self.destination or self._destination(),
            # It is what others say, whatever it does.
            "taints": True,
            "tenant": tenant,
        }

    def _destination(self) -> str | None:
        if self.type == "mcp":
            return f"=server {self.name}"
        return f"={urlsplit(str(self.config.get('url'))).netloc}" if self.type == "api" else None

    def _function_schema(self) -> dict[str, Any]:
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}


def read_declaration(file: Path) -> Declaration:
    """Raises `InvalidInput` that names the file and what is wrong with it."""
    try:
        if file.stat().st_size > FILE_LIMIT_BYTES:
            raise InvalidInput(f"{file}: over {FILE_LIMIT_BYTES} bytes")
        given = yaml.safe_load(file.read_text())
    except OSError as error:
        raise InvalidInput(f"{file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{file} is neither YAML nor JSON: {' '.join(str(error).split())[:200]}") from None
    try:
        return Declaration.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidInput(f"{file}: {'.'.join(map(str, first['loc'])) or 'the top'}: {first['msg']}") from None
