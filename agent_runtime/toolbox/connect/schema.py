"""Arguments held against a JSON schema that a row gives, and schemas of strangers made harmless.

No reference is ever fetched, and what a stranger's schema may make us compute is bounded: a pattern can take for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from agent_runtime.errors import ConfigError, ToolRefused
from agent_runtime.toolbox.connect.pointer import at_pointer

SCHEMA_LIMIT_BYTES = 16_384
_DEPTH_LIMIT = 24
_PROBLEMS_SHOWN = 8
# What says how a value looks. Left out on purpose: `pattern` (a stranger's regular expression would run in the worker)
# and `format`.
_KEPT = frozenset({
    "type", "properties", "required", "additionalProperties", "items", "prefixItems", "enum", "const", "anyOf", "oneOf",
    "allOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
    "minItems", "maxItems", "description", "default",
})  # fmt: skip
_PARTS_LIMIT = 2000
_TEXT_LIMIT = 1000


def check_schema(parameters: dict[str, Any]) -> None:
    """Raises `ConfigError` in one sentence when `parameters` is no JSON schema of an object."""
    from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]

    if parameters.get("type") != "object" or not isinstance(parameters.get("properties"), dict):
        raise ConfigError('its parameters are no schema of an object: {"type": "object", "properties": {…}}')
    try:
        Draft202012Validator.check_schema(parameters)
    except SchemaError as error:
        at = ".".join(map(str, error.absolute_path)) or "the top"
        raise ConfigError(f"its parameters are no JSON schema: at {at}, {error.message[:200]}") from None


def check_values(name: str, parameters: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """`values` when they fit `parameters`. Raises `ToolRefused` that names each field which does not.

    An argument that the schema does not name is refused, unless it says by `additionalProperties` what it takes.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError  # type: ignore[import-untyped]
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    properties: dict[str, Any] = parameters.get("properties", {})
    unknown = [] if parameters.get("additionalProperties") else sorted(set(values) - set(properties))
    problems = [f"{key!r} is not one of its arguments" for key in unknown]
    known = {key: value for key, value in values.items() if key not in unknown}
    try:
        # Without a registry of its own the validator would fetch what `$ref` names.
        found: Iterable[ValidationError] = Draft202012Validator(parameters, registry=Registry()).iter_errors(known)
        problems += [_explain(problem) for problem in found]
    except (RecursionError, Unresolvable):
        raise ToolRefused(
            f"{name} cannot be called: its schema refers to itself without end, or to elsewhere; only an administrator "
            "can mend it"
        ) from None
    if problems:
        shown = "; ".join(problems[:_PROBLEMS_SHOWN])
        raise ToolRefused(f"wrong arguments for {name}: {shown}. Its arguments: {_signature(parameters)}")
    return known


def harmless(schema: Any) -> dict[str, Any]:
    """A stranger's schema of a tool's arguments: known keywords alone, bounded, without control characters.

    Raises `ToolRefused` when it is none of an object, or over 16 KiB.
    """
    from agent_runtime.toolbox.output import clean_data

    if not isinstance(schema, dict):
        raise ToolRefused("its schema is not an object")
    kept = clean_data(_Keeper(schema).keep(schema))
    if kept.setdefault("type", "object") != "object" or not isinstance(kept.setdefault("properties", {}), dict):
        raise ToolRefused("its schema is not that of an object")
    size = len(json.dumps(kept))
    if size > SCHEMA_LIMIT_BYTES:
        raise ToolRefused(f"its schema has {size} bytes; at most {SCHEMA_LIMIT_BYTES} are taken")
    try:
        check_schema(kept)
    except ConfigError as error:
        raise ToolRefused(str(error)) from None
    required = kept.get("required", [])
    if not set(required) <= set(kept["properties"]):
        raise ToolRefused("its schema requires what is not among its properties")
    return dict(kept)


class _Keeper:
    """Copies what is known of a schema, each reference to a part of itself replaced by that part.

    So what checking a value costs is bounded by the size of the copy: references can double what they name at each
    step, and a schema that refers to itself doubles with the depth of the value. Such a one takes anything there.
    """

    def __init__(self, root: Any) -> None:
        self._root = root
        self._following: list[str] = []
        self._count = 0

    def keep(self, schema: Any, depth: int = 0) -> Any:
        """Raises `ToolRefused` when the copy grows over its limit."""
        self._count += 1
        if self._count > _PARTS_LIMIT:
            raise ToolRefused(f"its schema comes to over {_PARTS_LIMIT} parts")
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict) or depth > _DEPTH_LIMIT:
            return {}
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self._named(reference, depth)
        return {key: self._value(key, value, depth) for key, value in schema.items() if key in _KEPT}

    def _named(self, reference: str, depth: int) -> Any:
        if not reference.startswith("#/") or reference in self._following:
            return {}
        self._following.append(reference)
        try:
            return self.keep(at_pointer(self._root, unquote(reference[1:])), depth + 1)
        finally:
            self._following.pop()

    def _value(self, key: str, value: Any, depth: int) -> Any:
        if key == "properties":
            named = value if isinstance(value, dict) else {}
            return {str(name)[:100]: self.keep(inner, depth + 1) for name, inner in named.items()}
        if key in ("items", "additionalProperties"):
            return self.keep(value, depth + 1)
        if key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            return [self.keep(inner, depth + 1) for inner in value] if isinstance(value, list) else []
        return str(value)[:_TEXT_LIMIT] if key == "description" else value


def _explain(problem: Any) -> str:
    where = ".".join(map(str, problem.absolute_path))
    if problem.validator == "required" and not where:
        return str(problem.message).replace(" is a required property", " is missing")[:200]
    message = str(problem.message)
    shown = message if len(message) <= 160 else f"{message[:157]}..."
    return f"{where!r}: {shown}" if where else shown


def _signature(parameters: dict[str, Any]) -> str:
    required = parameters.get("required", [])
    parts = [
        f"{name} ({_type(details)}{'' if name in required else ', optional'})"
        for name, details in parameters.get("properties", {}).items()
    ]
    return ", ".join(parts) or "none"


def _type(schema: Any) -> str:
    kind = schema.get("type", "value") if isinstance(schema, dict) else "value"
    return " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
