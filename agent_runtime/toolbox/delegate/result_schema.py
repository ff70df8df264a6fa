"""The schema of a child's result: which ones are taken, and whether a result fits.

A model wrote the schema, so it can neither make a checker fetch something (`$ref`) nor keep it busy (`pattern`).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

SCHEMA_LIMIT_BYTES = 8_192
RESULT_LIMIT_BYTES = 16_384
_REFUSED = ("$ref", "$dynamicRef", "$schema", "$id", "$vocabulary", "pattern", "patternProperties")
_PROBLEMS_SHOWN = 5


def schema_problem(schema: dict[str, Any]) -> str | None:
    """Why this cannot be a result schema, in one line; None when it can."""
    # Slow to import, and seldom needed.
    import jsonschema  # type: ignore[import-untyped]

    if schema.get("type") != "object" or not isinstance(schema.get("properties"), dict) or not schema["properties"]:
        return 'it must describe an object: {"type": "object", "properties": {…}, "required": […]}'
    if len(json.dumps(schema).encode()) > SCHEMA_LIMIT_BYTES:
        return f"limit result_schema_bytes reached: at most {SCHEMA_LIMIT_BYTES} are taken"
    if refused := sorted(set(_REFUSED) & set(_keys(schema))):
        return f"{', '.join(refused)} cannot be used in it"
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.exceptions.SchemaError as error:
        return f"it is no JSON schema: {_place(error)}{error.message[:200]}"
    return None


def result_problems(result: Any, schema: dict[str, Any]) -> list[str]:
    """Where the result does not fit, a line each; empty when it does."""
    import jsonschema

    if result is None:
        return ["'result' is missing"]
    size_bytes = len(json.dumps(result).encode())
    if size_bytes > RESULT_LIMIT_BYTES:
        return [
            f"limit child_result_bytes reached: {size_bytes} of {RESULT_LIMIT_BYTES}; write the long part to a file"
            " and name it in files"
        ]
    errors = jsonschema.Draft202012Validator(schema).iter_errors(result)
    found = sorted(f"{_place(error)}{error.message[:200]}" for error in errors)
    return found[:_PROBLEMS_SHOWN]


def with_result(function_schema: dict[str, Any], result_schema: dict[str, Any]) -> dict[str, Any]:
    """`task_complete` as a child is offered it: with the argument `result`, which it has to give."""
    schema = copy.deepcopy(function_schema)
    parameters = schema["function"]["parameters"]
    parameters["properties"]["result"] = result_schema
    parameters["required"] = [*parameters.get("required", []), "result"]
    return schema


def _place(error: Any) -> str:
    path = ".".join(str(part) for part in error.absolute_path)
    return f"{path}: " if path else ""


def _keys(value: Any) -> Iterator[str]:
    """The keywords of a schema; names of properties are no keywords."""
    if isinstance(value, list):
        for item in value:
            yield from _keys(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "properties" and isinstance(item, dict):
                for described in item.values():
                    yield from _keys(described)
            elif key not in ("enum", "const", "default", "examples"):
                yield key
                yield from _keys(item)
