"""A conversation as the messages tell it, whichever of the two protocols carried it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any

from agent_runtime.context import CUT_NOTE, NOT_RUN
from agent_runtime.llm.frames import unframe
from agent_runtime.llm.parse_answer import parse_answer
from agent_runtime.llm.scripted.wire import ChatRequest, Message
from agent_runtime.toolbox.fence import unfence

_ATTACHED = "Attached files, in the workspace:\n"
_FILE = re.compile(r"^- (?P<name>.+) \((?P<size>\d+) bytes, (?P<type>[^()\n]*)\)$", re.MULTILINE)


@dataclass(frozen=True)
class Attachment:
    """A file that the person gave: its name in the workspace, its size and MIME type."""

    name: str
    size_bytes: int
    mime_type: str


@dataclass(frozen=True)
class Step:
    """A call that the model made, and its result once there is one."""

    name: str
    arguments: dict[str, Any]
    call_id: str = ""
    result: str | None = None


@dataclass
class Conversation:
    """What was said and done so far."""

    last_user: str = ""
    """The newest message of the person."""
    turns: int = 0
    turns_since_user: int = 0
    last_result: Step | None = None
    """The call whose result is the newest message; None when the person spoke last."""
    episodes: list[Episode] = field(default_factory=list)
    cut: bool = False
    """Earlier messages were left out to make the rest fit."""

    @classmethod
    def read(cls, request: ChatRequest) -> Conversation:
        conversation = cls()
        for message in request.messages:
            conversation._add(message)
        return conversation

    def _add(self, message: Message) -> None:
        if message.role == "assistant":
            self.turns += 1
            self.turns_since_user += 1
            self._called(message)
        elif message.role == "tool":
            self._result(message.tool_name, message.tool_call_id, message.content)
        elif message.role == "system":
            self.cut = self.cut or message.content == CUT_NOTE
        elif message.role == "user":
            results = unframe(message.content)
            if results is not None:
                for name, content in results:
                    self._result(name, "", content)
            else:
                self.last_user, self.turns_since_user, self.last_result = message.content, 0, None
                self._person_wrote(Episode.of(message.content))

    def _person_wrote(self, episode: Episode) -> None:
        # A word in passing, while the work goes on, does not begin it anew.
        if self.episodes and self.episodes[-1].under_way and not episode.files:
            self.episodes[-1].asides.append(episode.request)
        else:
            self.episodes.append(episode)

    def _called(self, message: Message) -> None:
        if not self.episodes:
            self.episodes.append(Episode("", ()))
        steps = self.episodes[-1].steps
        if message.tool_calls:
            steps += [Step(call.function.name, call.function.arguments, call.id) for call in message.tool_calls]
        elif message.content.lstrip().startswith("{"):
            steps += [Step(call.name, call.arguments) for call in parse_answer(message.content)[1]]

    def _result(self, name: str, call_id: str, content: str) -> None:
        content = unfence(content)
        steps = self.episodes[-1].steps if self.episodes else []
        for index, step in enumerate(steps):
            same = step.call_id == call_id if call_id and step.call_id else name in ("", step.name)
            if step.result is None and same:
                steps[index] = self.last_result = replace(step, result=content)
                return
        self.last_result = Step(name, {}, call_id, content)


@dataclass
class Episode:
    """A message of the person and what was done about it."""

    request: str
    files: tuple[Attachment, ...]
    steps: list[Step] = field(default_factory=list)
    asides: list[str] = field(default_factory=list)
    """What the person wrote while the work went on."""

    @property
    def under_way(self) -> bool:
        last = self.steps[-1] if self.steps else None
        return last is not None and last.name != "task_complete" and last.result not in (None, NOT_RUN)

    @classmethod
    def of(cls, message: str) -> Episode:
        words, attached, listing = message.rpartition(_ATTACHED)
        if not attached:
            return cls(message.strip(), ())
        files = tuple(Attachment(found["name"], int(found["size"]), found["type"]) for found in _FILE.finditer(listing))
        return cls(words.strip(), files)


def offered_tools(request: ChatRequest) -> dict[str, frozenset[str]]:
    """The tools that the request offers, natively or as choices of a schema, and the arguments that each takes."""
    offered = {}
    for tool in request.tools:
        function = tool.get("function") or {}
        offered[str(function.get("name", ""))] = _argument_names(function.get("parameters"))
    schema = request.format if isinstance(request.format, dict) else {}
    for choice in schema.get("anyOf", ()):
        properties = choice.get("properties", {})
        name = properties.get("tool", {}).get("const")
        if isinstance(name, str):
            offered[name] = _argument_names(properties.get("arguments"))
    return offered


def _argument_names(parameters: Any) -> frozenset[str]:
    return frozenset(parameters.get("properties", {})) if isinstance(parameters, dict) else frozenset()


def as_json(call: dict[str, Any]) -> str:
    """A call in the form of the JSON-schema protocol."""
    return json.dumps(call, ensure_ascii=False)
