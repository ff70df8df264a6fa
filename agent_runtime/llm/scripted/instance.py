"""The smallest value that a JSON schema allows, for a request that wants a form filled in."""

from __future__ import annotations

from typing import Any

_DEPTH_LIMIT = 12


def instance_of(schema: Any, words: str, root: Any = None, depth: int = 0) -> Any:
    """A value of the schema's form. The first text without other constraints becomes `words`."""
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth > _DEPTH_LIMIT:
        return None
    if "$ref" in schema:
        return instance_of(_referred(str(schema["$ref"]), root), words, root, depth + 1)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return instance_of(schema[key][0], words, root, depth + 1)
    return _of_type(schema, words, root, depth)


def _of_type(schema: dict[str, Any], words: str, root: Any, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        required = schema.get("required", ())
        properties = schema.get("properties", {})
        return {name: instance_of(properties.get(name, {}), words, root, depth + 1) for name in required}
    if kind == "array":
        items = schema.get("items", {})
        return [instance_of(items, words, root, depth + 1) for _ in range(schema.get("minItems", 0))]
    if kind in ("integer", "number"):
        return schema.get("minimum", min(0, schema.get("maximum", 0)))
    if kind == "string":
        return words[: schema.get("maxLength", len(words))].ljust(schema.get("minLength", 0), ".")
    return {"boolean": False}.get(kind)


def _referred(reference: str, root: Any) -> Any:
    place = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        place = place.get(part) if isinstance(place, dict) and part else place
    return place
