"""agent_runtime/events.py as TypeScript: a union of event types that `kind` tells apart."""

from __future__ import annotations

import ast
from functools import cache
from inspect import cleandoc, getdoc, getsource
from itertools import pairwise
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from agent_runtime import events
from agent_runtime.events import Event, payloads
from scripts.typescript import alternatives, block, documented, quoted

HEADER = """// Made by `make types` from agent_runtime/events.py. Change that, not this.
"""


def text() -> str:
    """The file."""
    kinds = payloads()
    models: dict[str, type[BaseModel]] = {}
    for model in kinds.values():
        _collect(model, models)
    lines = [HEADER]
    for model in models.values():
        lines += [*documented(getdoc(model)), *block(f"export interface {model.__name__}", _fields(model)), ""]
    lines += [
        *documented(getdoc(Event)),
        *block("export interface EventOf<Kind extends string, Payload>", _event()),
        "",
    ]
    members = [f"EventOf<{quoted(kind)}, {model.__name__}>" for kind, model in kinds.items()]
    lines += [*documented("One of them, told apart by `kind`."), *alternatives("export type TaskEvent =", members), ""]
    lines += ["export type EventKind = TaskEvent['kind']", ""]
    return "\n".join(lines)


def _collect(model: type[BaseModel], into: dict[str, type[BaseModel]]) -> None:
    """The model and those that it is made of, the parts first."""
    for field in model.model_fields.values():
        for part in get_args(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                _collect(part, into)
    into.setdefault(model.__name__, model)


def _fields(model: type[BaseModel]) -> list[list[str]]:
    docs = _docs().get(model.__name__, {})
    return [_field(name, of, _members(of.annotation), docs.get(name)) for name, of in model.model_fields.items()]


def _event() -> list[list[str]]:
    own = {"kind": ["Kind"], "payload": ["Payload"]}
    docs = _docs()["Event"]
    fields = Event.model_fields.items()
    return [_field(name, of, own.get(name) or _members(of.annotation), docs.get(name)) for name, of in fields]


@cache
def _docs() -> dict[str, dict[str, str]]:
    """What stands below each field, by class and name. pydantic could read it, in every process and at a tenth of a
    second."""
    return {
        of.name: {
            field.target.id: cleandoc(text.value.value)
            for field, text in pairwise(of.body)
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
        }
        for of in ast.parse(getsource(events)).body
        if isinstance(of, ast.ClassDef)
    }


def _field(name: str, field: FieldInfo, members: list[str], doc: str | None) -> list[str]:
    # What is None in Python is left out of the row: jsonb_strip_nulls.
    mark = "" if field.is_required() else "?"
    return [*documented(doc, 2), *alternatives(f"{name}{mark}:", members, 2)]


def _members(annotation: Any) -> list[str]:
    """A Python type's TypeScript, as the members of a union."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return [quoted(value) for value in arguments]
    if origin in (Union, UnionType):
        return [member for part in arguments if part is not NoneType for member in _members(part)]
    if origin is list:
        (item,) = (" | ".join(_members(part)) for part in arguments)
        return [f"{item}[]"]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation.__name__]
    if annotation in (int, float):
        return ["number"]
    if annotation is bool:
        return ["boolean"]
    if annotation in (str, UUID) or getattr(annotation, "__name__", "") == "datetime":
        return ["string"]
    raise TypeError(f"no TypeScript is known for {annotation}")
