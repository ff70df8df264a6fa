"""Arguments held against a JSON schema that a row gives, and schemas of strangers made harmless.

No reference is ever fetched, and what a stranger's schema may make us compute is bounded: a pattern can take for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from agent_runtime.errors import ConfigError, ToolRefused

SCHEMA_LIMIT_BYTES = 16_384
_DEPTH_LIMIT = 12
_PROBLEMS_SHOWN = 8
# What says how a value looks. Left out on purpose: `pattern` (a stranger's regular expression would run in the worker),
# `format`, and everything that refers to somewhere else than the schema itself.
_KEPT = frozenset({
    "type", "properties", "required", "additionalProperties", "items", "prefixItems", "enum", "const", "anyOf", "oneOf",
    "allOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
    "minItems", "maxItems", "description", "default", "$ref", "$defs", "definitions",
})  # fmt: skip
_SCHEMAS_BY_NAME = ("properties", "$defs", "definitions")
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
    kept = clean_data(_kept(schema, 0))
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


def _kept(schema: Any, depth: int) -> Any:
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, dict) or depth > _DEPTH_LIMIT:
        return {}
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key not in _KEPT:
            continue
        if key in _SCHEMAS_BY_NAME:
            named = value if isinstance(value, dict) else {}
            kept[key] = {str(name)[:100]: _kept(inner, depth + 1) for name, inner in named.items()}
        elif key in ("items", "additionalProperties"):
            kept[key] = _kept(value, depth + 1)
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            kept[key] = [_kept(inner, depth + 1) for inner in value] if isinstance(value, list) else []
        elif key == "$ref":
            # Nothing but what is in the schema itself.
            if isinstance(value, str) and value.startswith("#/"):
                kept[key] = value
        elif key == "description":
            kept[key] = str(value)[:_TEXT_LIMIT]
        else:
            kept[key] = value
    return kept


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
