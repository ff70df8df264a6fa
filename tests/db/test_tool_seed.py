"""The tools that the SQL seeds are the tools that the folder declares."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from agent_runtime.toolbox.registry import Registry

if TYPE_CHECKING:
    from tests.conftest import Database

# The table's own: the schema document names and files its five tools in its own words.
OURS = ("display_name", "category")


def test_the_seeded_tools_are_the_declared_ones(database18: Database) -> None:
    declared = {row["name"]: row for row in Registry.load().declarations()}
    with psycopg.connect(database18.owner, row_factory=dict_row) as connection:
        seeded = {row["name"]: row for row in connection.execute("select * from public.tools").fetchall()}
    assert seeded.keys() == declared.keys(), rows(declared)
    for name, row in declared.items():
        found = {key: seeded[name][key] for key in row}
        assert {**found, **dict.fromkeys(OURS)} == {**row, **dict.fromkeys(OURS)}, rows({name: row})


def rows(declared: dict[str, dict[str, Any]]) -> str:
    """The rows as sql/seed/tools.sql needs them."""
    return ",\n".join(_row(row) for row in declared.values())


def _row(row: dict[str, Any]) -> str:
    def quoted(value: Any) -> str:
        if isinstance(value, bool | int):
            return str(value).lower()
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return "'" + text.replace("'", "''") + "'"

    names = (
        "name",
        "display_name",
        "description",
        "category",
        "function_schema",
        "implementation_type",
        "security_level",
    )
    more = ("retry_class", "taints", "outward", "timeout_seconds", "output_limit_bytes")
    return f"  ({', '.join(quoted(row[key]) for key in (*names, *more))})"
