"""Reads an answer that was meant to be JSON, mending what small models get wrong."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from agent_runtime.llm.chat import ToolCall

_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_TOOL_KEYS = ("tool", "tool_name", "name", "function")
_ARGUMENT_KEYS = ("arguments", "args", "parameters", "input")
_SAY_KEYS = ("say", "answer", "text", "message", "content", "response")

_decoder = json.JSONDecoder(strict=False)


def parse_answer(text: str) -> tuple[str, tuple[ToolCall, ...]]:
    """What the model says and the calls it makes. Text in which no answer can be found is what it says, as it is.

    JSON that breaks off is never completed: the half of a call must not run.
    """
    text = _THOUGHT.sub("", text)
    said: list[str] = []
    calls: list[ToolCall] = []
    for answer in _objects(text):
        call = _call(answer)
        if call is not None:
            calls.append(call)
        elif (words := _first(answer, _SAY_KEYS)) is not None:
            said.append(words if isinstance(words, str) else json.dumps(words, ensure_ascii=False))
    if not said and not calls:
        return text.strip(), ()
    return "\n".join(said), tuple(calls)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    position = 0
    while (position := text.find("{", position)) >= 0:
        value, end = _decode(text, position)
        if end == position:
            # Nothing that starts inside a broken object is an answer of its own.
            return
        if isinstance(value, dict):
            yield value
        position = end


def _decode(text: str, start: int) -> tuple[Any, int]:
    try:
        value, end = _decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
        return _mended(text, start)
    return value, end


def _mended(text: str, start: int) -> tuple[Any, int]:
    candidate = text[start : text.rfind("}") + 1]
    try:
        return json.loads(_TRAILING_COMMA.sub(r"\1", candidate), strict=False), start + len(candidate)
    except (ValueError, RecursionError):
        pass
    try:
        # Single quotes, True and None: a Python literal, which is read without being run.
        return ast.literal_eval(candidate), start + len(candidate)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None, start


def _call(answer: dict[str, Any]) -> ToolCall | None:
    name = _first(answer, _TOOL_KEYS)
    if isinstance(name, dict):
        answer, name = name, _first(name, _TOOL_KEYS)
    if not isinstance(name, str) or not name:
        return None
    arguments = _first(answer, _ARGUMENT_KEYS)
    if isinstance(arguments, str):
        arguments = _decode(arguments.strip(), 0)[0] if arguments.strip().startswith("{") else None
    if arguments is None:
        arguments = {key: value for key, value in answer.items() if key not in (*_TOOL_KEYS, *_ARGUMENT_KEYS)}
    if not isinstance(arguments, dict):
        arguments = {"arguments": arguments}
    return ToolCall(id=f"call_{uuid4().hex[:16]}", name=name, arguments={str(k): v for k, v in arguments.items()})


def _first(answer: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((answer[key] for key in keys if answer.get(key) is not None), None)
