"""What crosses the wire: a request as the server reads it, an answer as a script or the policy gives it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class CalledFunction(BaseModel):
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class CalledTool(BaseModel):
    id: str = ""
    function: CalledFunction


class Message(BaseModel):
    """A message of the conversation as the client sent it."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: list[CalledTool] = Field(default_factory=list)
    tool_call_id: str = ""
    tool_name: str = ""
    images: list[str] = Field(default_factory=list)

    @field_validator("content", "tool_calls", "images", mode="before")
    @classmethod
    def _null_is_empty(cls, value: Any, info: Any) -> Any:
        return ("" if info.field_name == "content" else []) if value is None else value


class ChatRequest(BaseModel):
    """The body of `POST /api/chat`."""

    model: str = Field(min_length=1)
    messages: list[Message] = Field(default_factory=list)
    tools: list[dict[str, Any]] = Field(default_factory=list)
    format: dict[str, Any] | Literal["json", ""] | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    stream: bool = True
    think: bool | str | None = None
    truncate: bool = True
    keep_alive: float | str | None = None

    @field_validator("tools", "options", mode="before")
    @classmethod
    def _null_is_empty(cls, value: Any, info: Any) -> Any:
        return ([] if info.field_name == "tools" else {}) if value is None else value


class ScriptedCall(BaseModel):
    """A tool call that an answer makes."""

    model_config = ConfigDict(extra="forbid")

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Answer(BaseModel):
    """One answer. `status` with `error` refuses; `error` alone breaks the stream after the text with an error line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = ""
    thinking: str = ""
    tool_calls: list[ScriptedCall] = Field(default_factory=list)
    raw: str | None = None
    """Bytes put into the stream as they are, after the text: malformed output of the server itself."""
    delay_seconds: float = Field(default=0, ge=0)
    """Before the first chunk."""
    chunk_delay_seconds: float = Field(default=0, ge=0)
    """Before each further chunk."""
    status: int | None = Field(default=None, ge=400, le=599)
    error: str | None = None
    drop: Literal["connection", "end"] | None = None
    """Break the connection after the text, or end the stream properly but without the last chunk."""
    done_reason: Literal["stop", "length", "load", "unload"] = "stop"
    prompt_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)

    @field_validator("drop", mode="before")
    @classmethod
    def _true_breaks_the_connection(cls, value: Any) -> Any:
        return {True: "connection", False: None}.get(value, value) if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _status_says_why(self) -> Answer:
        if self.status is not None and self.error is None:
            raise ValueError("`status` needs an `error` text")
        return self


class Refused(Exception):
    """The request gets an error status, in Ollama's words."""

    def __init__(self, status: int, error: str) -> None:
        self.status, self.error = status, error
        super().__init__(error)


def count_tokens(text: str) -> int:
    """A stand-in has no tokenizer; a token is six characters."""
    return -(-len(text) // 6)
