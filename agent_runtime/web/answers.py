"""The answer that a model is giving to a watched task, as far as it was heard."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agent_runtime.live_answers import MOST_CHARACTERS
from agent_runtime.web.timelines import Event


@dataclass(frozen=True)
class Piece:
    """A part of an answer, as a worker notifies it. Where it stands is counted in characters."""

    task_id: UUID
    step: int
    attempt: str
    """Another one when the model was asked anew: what came before is void."""
    at: int
    content: str
    thinking_at: int
    thinking: str

    @classmethod
    def parse(cls, payload: str) -> Piece | None:
        """None for what is no piece: whoever can connect can notify."""
        try:
            given = json.loads(payload)
            (at, content), (thinking_at, thinking) = given["content"], given["thinking"]
            piece = cls(
                UUID(given["task"]), int(given["step"]), str(given["attempt"]),
                int(at), str(content), int(thinking_at), str(thinking),
            )  # fmt: skip
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        return piece if min(piece.step, piece.at, piece.thinking_at) >= 0 else None


@dataclass(frozen=True)
class Shown:
    """How much of which answer a client was sent."""

    attempt: tuple[int, str] = (-1, "")
    content: int = 0
    thinking: int = 0


class Answer:
    """Of one task. Steps only go up; an answer is forgotten when its message is recorded."""

    def __init__(self) -> None:
        self.step, self.attempt = -1, ""
        self.content = self.thinking = ""
        self._recorded_step = 0

    def take(self, piece: Piece) -> bool:
        """False when something before it is missing: the worker has to say it all again."""
        if piece.step <= self._recorded_step or piece.step < self.step:
            return True
        if (piece.step, piece.attempt) != (self.step, self.attempt):
            if piece.at or piece.thinking_at:
                return False
            self.step, self.attempt, self.content, self.thinking = piece.step, piece.attempt, "", ""
        if piece.at > len(self.content) or piece.thinking_at > len(self.thinking):
            return False
        if max(piece.at, piece.thinking_at) > MOST_CHARACTERS:
            return True
        # What was said again is the same.
        self.content += piece.content[len(self.content) - piece.at :]
        self.thinking += piece.thinking[len(self.thinking) - piece.thinking_at :]
        return True

    def heed(self, event: Event) -> None:
        """An event may end the answer: its message is recorded, or the run is over."""
        if event.kind == "message.created" and event.payload.get("role") == "assistant":
            step = event.payload.get("step")
            if isinstance(step, int):
                self._recorded_step = max(self._recorded_step, step)
                if self.step <= step:
                    self._forget()
        elif event.kind == "task.status" and event.payload.get("status") != "running":
            self._forget()

    def frame(self, shown: Shown) -> tuple[bytes, Shown]:
        """What a client has not been sent yet, and how much it has been sent with it. Empty when there is nothing."""
        attempt = (self.step, self.attempt)
        if self.step < 0:
            return b"", shown
        restart = shown.attempt != attempt
        before = Shown(attempt) if restart else shown
        now = Shown(attempt, len(self.content), len(self.thinking))
        if now == shown:
            return b"", shown
        data: dict[str, Any] = {
            "step": self.step,
            "content": self.content[before.content :],
            "thinking": self.thinking[before.thinking :],
            "restart": restart,
        }
        return f"event: delta\ndata: {json.dumps(data)}\n\n".encode(), now

    def _forget(self) -> None:
        self.step, self.attempt, self.content, self.thinking = -1, "", "", ""
