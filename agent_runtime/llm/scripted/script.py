"""A script: models, and turns that say what to answer to which conversation. See docs/model-server.md."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any, Protocol

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agent_runtime.errors import ConfigError
from agent_runtime.llm.scripted.catalogue import Catalogue, ModelCard
from agent_runtime.llm.scripted.conversation import Conversation
from agent_runtime.llm.scripted.wire import Answer, ChatRequest, Refused

_PLACE = re.compile(r"\$\{(\w+)\}")


class Mind(Protocol):
    """What decides the answers: a script or the policy."""

    @property
    def kind(self) -> str: ...

    @property
    def catalogue(self) -> Catalogue: ...

    def answer(self, request: ChatRequest) -> tuple[Answer, str]:
        """The answer and the name of the rule that gave it. Raises `Refused`."""


class When(BaseModel):
    """All that is given must hold. Regular expressions are searched, not anchored; `.` matches line ends too."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    user: re.Pattern[str] | None = None
    user_contains: str | None = None
    tool: str | None = None
    tool_result: re.Pattern[str] | None = None
    turn: int | None = Field(default=None, ge=0)

    @field_validator("user", "tool_result", mode="before")
    @classmethod
    def _dot_matches_all(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return re.compile(value, re.DOTALL)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None

    def groups(self, conversation: Conversation, model: ModelCard, catalogue: Catalogue) -> dict[str, str] | None:
        """The groups that the expressions caught, by name and number; None when the turn does not apply."""
        if self.model is not None and catalogue.find(self.model) is not model:
            return None
        if self.turn is not None and self.turn != conversation.turns:
            return None
        if self.user_contains is not None and self.user_contains not in conversation.last_user:
            return None
        last = conversation.last_result
        if (self.tool or self.tool_result) and last is None:
            return None
        if self.tool is not None and last is not None and last.name != self.tool:
            return None
        caught: dict[str, str] = {}
        for pattern, text in ((self.user, conversation.last_user), (self.tool_result, last.result if last else "")):
            if pattern is not None:
                found = pattern.search(text or "")
                if found is None:
                    return None
                caught |= {str(number): value or "" for number, value in enumerate(found.groups(), 1)}
                caught |= {name: value or "" for name, value in found.groupdict().items()}
                caught["0"] = found[0]
        return caught


class ScriptTurn(BaseModel):
    """`answer`, or `steps`: the n-th of them answers when the model has answered n times since the person wrote."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    when: When = When()
    answer: Answer | None = None
    steps: list[Answer] | None = Field(default=None, min_length=1)
    times: int | None = Field(default=None, ge=1)
    once: bool = False

    @model_validator(mode="after")
    def _answers_somehow(self) -> ScriptTurn:
        if (self.answer is None) == (self.steps is None):
            raise ValueError("give either `answer` or `steps`")
        if self.once and self.times is not None:
            raise ValueError("give either `once` or `times`")
        self._check_places()
        return self

    @property
    def limit(self) -> int | None:
        return 1 if self.once else self.times

    def choose(self, conversation: Conversation) -> Answer | None:
        if self.steps is None:
            return self.answer
        step = conversation.turns_since_user
        return self.steps[step] if step < len(self.steps) else None

    def _check_places(self) -> None:
        known = {"0"} if self.when.user or self.when.tool_result else set()
        for pattern in (self.when.user, self.when.tool_result):
            if pattern is not None:
                known |= {str(number) for number in range(1, pattern.groups + 1)} | set(pattern.groupindex)
        for answer in [self.answer] if self.answer else self.steps or []:
            for place in _PLACE.findall(answer.model_dump_json()):
                if place not in known:
                    raise ValueError(f"${{{place}}} names no group of `when.user` or `when.tool_result`")


class Script(BaseModel):
    """The file's content."""

    model_config = ConfigDict(extra="forbid")

    models: list[ModelCard] = Field(min_length=1)
    turns: list[ScriptTurn] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_known_models_once(self) -> Script:
        names = Counter(card.full_name for card in self.models)
        if twice := [name for name, number in names.items() if number > 1]:
            raise ValueError(f"model {twice[0]} is listed twice")
        known = names.keys() | {card.name for card in self.models}
        for number, turn in enumerate(self.turns):
            if turn.when.model is not None and turn.when.model not in known:
                raise ValueError(f"turns.{number}.when.model: {turn.when.model} is not under `models`")
        return self


class ScriptMind:
    """Follows a script. Decides from the messages alone, but for turns that say `times` or `once`."""

    kind = "script"

    def __init__(self, script: Script) -> None:
        self.catalogue = Catalogue(script.models)
        self._turns = script.turns
        self._used: Counter[int] = Counter()

    def answer(self, request: ChatRequest) -> tuple[Answer, str]:
        model, conversation = self.catalogue.find(request.model), Conversation.read(request)
        for number, turn in enumerate(self._turns):
            if turn.limit is not None and self._used[number] >= turn.limit:
                continue
            groups = turn.when.groups(conversation, model, self.catalogue)
            answer = turn.choose(conversation) if groups is not None else None
            if answer is not None and groups is not None:
                self._used[number] += 1
                return _filled(answer, groups), turn.name or f"turns.{number}"
        raise Refused(400, f"no turn of the script applies (turn {conversation.turns}, {_last(conversation)})")


def load_script(path: Path) -> Script:
    """Raises `ConfigError` with the place and the reason."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"script {path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"script {path}{place}: not YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"script {path}: must be a mapping with `models` and `turns`")
    try:
        return Script.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the script"
        raise ConfigError(f"script {path}: {place}: {first['msg'].removeprefix('Value error, ')}") from None


def _filled(answer: Answer, groups: dict[str, str]) -> Answer:
    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return _PLACE.sub(lambda place: groups[place[1]], value)
        if isinstance(value, dict):
            return {fill(key): fill(item) for key, item in value.items()}
        return [fill(item) for item in value] if isinstance(value, list) else value

    return Answer.model_validate(fill(answer.model_dump())) if groups else answer


def _last(conversation: Conversation) -> str:
    last = conversation.last_result
    return f"last result of {last.name}" if last else f"last user message {conversation.last_user[:80]!r}"
