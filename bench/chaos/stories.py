"""What the model does in a task, as a script for the scripted model server, and what must have come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent_runtime.local.model_server import STAND_IN
from agent_runtime.toolbox.definition import RetryClass
from bench.chaos.effects import CLASSES

Answer = dict[str, Any]

ASK = "ask"
"""In a turn: a question to the person."""
ANSWER = "Go on, please."


@dataclass(frozen=True)
class Story:
    """`turns` before the last one, which completes the task: the classes of each turn's calls, or `ASK`."""

    prompt: str
    turns: tuple[tuple[str, ...], ...]

    @property
    def calls(self) -> dict[int, str]:
        """The class of each of our calls, by its number."""
        called = [name for turn in self.turns for name in turn if name != ASK]
        return dict(enumerate(called, 1))

    @property
    def calls_per_turn(self) -> list[int]:
        """All calls, control tools too."""
        return [*(len(turn) for turn in self.turns), 1]

    @property
    def asks(self) -> bool:
        return any(ASK in turn for turn in self.turns)


def walk(retry_class: RetryClass) -> Story:
    """One call, then two in one turn, then the end."""
    return Story(f"walk {retry_class}", ((retry_class,), (retry_class, retry_class)))


def ask(retry_class: RetryClass) -> Story:
    """A call and a question in one turn; after the answer the end."""
    return Story(f"ask {retry_class}", ((retry_class, ASK),))


STORM = Story(
    "storm",
    (
        ("pure", "unsafe"),
        ("keyed",),
        ("idempotent", "unsafe"),
        ("unsafe",),
        ("pure", "idempotent", "keyed"),
    ),
)
"""Six steps with the last."""

STORIES = {story.prompt: story for story in (*map(walk, CLASSES), *map(ask, CLASSES), STORM)}


def script() -> dict[str, Any]:
    """The script of all stories."""
    turns: list[dict[str, Any]] = [{"when": {"user_contains": ANSWER}, "steps": [_complete()]}]
    turns += [{"when": {"user": f"^{story.prompt}"}, "steps": _answers(story)} for story in STORIES.values()]
    return {
        "models": [{"name": STAND_IN, "capabilities": ["completion", "tools"], "context_length": 32_768}],
        "turns": turns,
    }


def _answers(story: Story) -> list[Answer]:
    answers: list[Answer] = []
    number = 0
    for turn in story.turns:
        made = []
        for name in turn:
            if name == ASK:
                made.append({"name": "message_ask", "arguments": {"question": "Shall I go on?"}})
            else:
                number += 1
                made.append({"name": f"chaos_{name}", "arguments": {"number": number}})
        answers.append({"tool_calls": made})
    return [*answers, _complete()]


def _complete() -> Answer:
    return {"tool_calls": [{"name": "task_complete", "arguments": {"answer": "Done."}}]}
