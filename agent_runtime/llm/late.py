"""A model that is opened when it is first asked: a run that only finishes calls needs no model server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from agent_runtime.llm.chat import ChatMessage, ChatModel, OnDelta, Turn


class LateModel:
    """The model that `opening` gives. `name` is what it is called until then."""

    def __init__(self, name: str, opening: Callable[[], Awaitable[ChatModel]]) -> None:
        self._name, self._opening = name, opening
        self._model: ChatModel | None = None

    @property
    def name(self) -> str:
        return self._name

    async def sees(self) -> bool:
        """Raises also what opening raises."""
        return await (await self._opened()).sees()

    async def reply(
        self, messages: Sequence[ChatMessage], tools: Sequence[dict[str, Any]], on_delta: OnDelta | None = None
    ) -> Turn:
        """Raises also what opening raises."""
        return await (await self._opened()).reply(messages, tools, on_delta)

    async def _opened(self) -> ChatModel:
        if self._model is None:
            self._model = await self._opening()
        return self._model
