"""What the runtime asks of a language model: one protocol, and the records that cross it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

Role = Literal["system", "user", "assistant", "tool"]


class ToolCall(BaseModel):
    """A tool call as the model asked for it. Nothing in it has been checked yet."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class ChatMessage(BaseModel):
    """One message of the conversation, in the shape that every protocol renders from."""

    model_config = ConfigDict(frozen=True)

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    """On a `tool` message: the call that this is the result of."""
    tool_name: str | None = None
    """On a `tool` message: the tool's name."""
    images: tuple[str, ...] = ()
    """Pictures that go with the text, as PNG or JPEG in base64. Only for a model that can see."""


class Usage(BaseModel):
    """What one answer cost, as the server counted it. A count that the server left out is 0."""

    model_config = ConfigDict(frozen=True)

    prompt_tokens: int = 0
    output_tokens: int = 0
    model_seconds: float = 0.0


class Turn(BaseModel):
    """A complete answer of the model. A stream that broke off never becomes a Turn."""

    model_config = ConfigDict(frozen=True)

    model: str
    """The name that the server answered with: what goes on record."""
    content: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: Literal["stop", "length"] = "stop"
    usage: Usage = Usage()
    num_ctx: int = 0
    """Tokens that the model had room for, as it was asked; 0 where that is not known."""


class Delta(BaseModel):
    """A piece of an answer while it streams."""

    model_config = ConfigDict(frozen=True)

    content: str = ""
    thinking: str = ""
    restart: bool = False
    """The answer broke off and is asked for again: forget the pieces that came before this one."""


OnDelta = Callable[[Delta], Awaitable[None]]


class ChatModel(Protocol):
    """A model that can be asked for the next turn."""

    @property
    def name(self) -> str:
        """The model's name on its server."""

    async def sees(self) -> bool:
        """Whether it sees pictures. Raises what `reply` raises."""

    async def reply(
        self, messages: Sequence[ChatMessage], tools: Sequence[dict[str, Any]], on_delta: OnDelta | None = None
    ) -> Turn:
        """The model's next turn.

        `tools` are function schemas, `{"type": "function", "function": {"name", "description", "parameters"}}`.
        Raises `ModelUnavailable` (after its own retries), `ModelMissing`, `ContextTooLong` or `ModelError`.
        Cancelling the call stops the generation.
        """
