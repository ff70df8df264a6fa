"""The JSON schema that constrains an answer, and the same tools in words for the system prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

# What a grammar can be made of. The rest (lengths, patterns, formats) makes some servers refuse the schema, and is
# checked anyway when the call is validated.
_KEYWORDS = frozenset({"type", "enum", "const", "required", "additionalProperties", "$ref"})
_SUBSCHEMAS = frozenset({"items", "additionalProperties"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})


def answer_schema(tools: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One of the tools with its own arguments, or words."""
    definitions: dict[str, Any] = {}
    choices = [_call_schema(tool["function"], definitions) for tool in tools]
    schema: dict[str, Any] = {"anyOf": [*choices, _object({"say": {"type": "string"}})]}
    if definitions:
        schema["$defs"] = definitions
    return schema


def describe_tools(tools: Sequence[dict[str, Any]]) -> str:
    """The tools as text: name, purpose, and each argument with type and meaning."""
    return "\n\n".join(_describe(tool["function"]) for tool in tools)


def _call_schema(function: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    name, parameters = function["name"], function.get("parameters") or {"type": "object", "properties": {}}
    for key, definition in parameters.get("$defs", {}).items():
        definitions[f"{name}.{key}"] = _constrained(definition, name)
    arguments = _constrained(parameters, name)
    arguments.setdefault("type", "object")
    return _object({"tool": {"const": name}, "arguments": arguments})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _constrained(schema: Any, tool: str) -> Any:
    """The schema with only what constrains its form, references pointing at the definitions of the whole."""
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            kept[key] = {name: _constrained(property_schema, tool) for name, property_schema in value.items()}
        elif key == "$ref":
            kept[key] = str(value).replace("#/$defs/", f"#/$defs/{tool}.")
        elif key in _SUBSCHEMAS:
            kept[key] = _constrained(value, tool)
        elif key in _LISTS:
            kept[key] = [_constrained(choice, tool) for choice in value]
        elif key in _KEYWORDS:
            kept[key] = value
    return kept


def _describe(function: dict[str, Any]) -> str:
    parameters = function.get("parameters") or {}
    required = set(parameters.get("required", ()))
    lines = [f"{function['name']}: {' '.join(str(function.get('description', '')).split())}"]
    for name, schema in parameters.get("properties", {}).items():
        need = "" if name in required else ", optional"
        meaning = f": {schema['description']}" if schema.get("description") else ""
        lines.append(f"  - {name} ({_type(schema)}{need}){meaning}")
    if len(lines) == 1:
        lines.append("  - no arguments")
    return "\n".join(lines)


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items') or {})}"
    return str(schema.get("type", "object"))
