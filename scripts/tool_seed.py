"""Write sql/seed/tools.sql anew from the tools of the folder: `make seed`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from agent_runtime.toolbox.registry import Registry

ROOT = Path(__file__).resolve().parents[1]
SEED = ROOT / "sql" / "seed" / "tools.sql"

# The schema document names and files these five in its own words.
OF_THE_DOCUMENT = {
    "browser_navigate": ("Navegar Web", "web"),
    "file_read": ("Leer Archivo", "file"),
    "file_write": ("Escribir Archivo", "file"),
    "shell_exec": ("Ejecutar Comando Shell", "system"),
    "web_search": ("Búsqueda Web", "web"),
}
CONFIRMED = ("db_execute",)
"""A person approves each call, whatever standing permission an agent has."""

# The lines of SQL are as long as the other files' are.
# ruff: noqa: E501
_HEAD = """-- The built-in tools, as tools/*.py declare them; a test compares the two. What the
-- code says (schema, description, destination) follows the code; what an admin governs stays.
-- Written by `make seed`.
"""
_ON_CONFLICT = """on conflict (name) do update
set function_schema = excluded.function_schema, description = excluded.description
where tools.tenant_id is null
  and (tools.function_schema, tools.description) is distinct from (excluded.function_schema, excluded.description);
"""
_COLUMNS = """insert into public.tools (
  name, display_name, description, category, function_schema, implementation_type, security_level, retry_class, taints, outward,
  timeout_seconds, output_limit_bytes{more}
) values
"""


def seed() -> str:
    """The whole of the file."""
    declared = {row["name"]: row for row in Registry.load().declarations()}
    rows = [_row(row) for name, row in declared.items() if name not in CONFIRMED]
    confirmed = [_row(declared[name], ", true") for name in CONFIRMED]
    places = [(name, row["destination"]) for name, row in declared.items() if row["destination"]]
    return "\n".join(
        [
            _HEAD,
            _COLUMNS.format(more="") + ",\n".join(rows),
            _ON_CONFLICT,
            "-- A person approves each change of the database, whatever standing permission an agent has.",
            _COLUMNS.format(more=", requires_confirmation") + ",\n".join(confirmed),
            _ON_CONFLICT,
            "-- Where outward calls go: it belongs to the arguments, so it follows the code.",
            "update public.tools t",
            "set destination = d.destination",
            "from (",
            "  values",
            ",\n".join(f"  ({_quoted(name)}, {_quoted(place)})" for name, place in places),
            ") as d (name, destination)",
            "where t.name = d.name and t.tenant_id is null and t.destination is distinct from d.destination;\n",
        ]
    )


def _row(row: dict[str, Any], more: str = "") -> str:
    shown, category = OF_THE_DOCUMENT.get(row["name"], (row["display_name"], row["category"]))
    first = ", ".join(_quoted(value) for value in (row["name"], shown, row["description"], category))
    schema = _quoted(json.dumps(row["function_schema"], ensure_ascii=False))
    names = (
        "implementation_type", "security_level", "retry_class", "taints", "outward", "timeout_seconds",
        "output_limit_bytes",
    )  # fmt: skip
    last = ", ".join(_quoted(row[name]) for name in names)
    return f"  (\n    {first},\n    {schema},\n    {last}{more}\n  )"


def _quoted(value: Any) -> str:
    if isinstance(value, bool | int):
        return str(value).lower()
    return "'" + str(value).replace("'", "''") + "'"


if __name__ == "__main__":
    SEED.write_text(seed(), encoding="utf-8")
    sys.stdout.write(f"{SEED.relative_to(ROOT)} is written\n")
