"""The tools that the SQL seeds are the tools that the folder declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    assert seeded.keys() == declared.keys(), "run: make seed"
    for name, row in declared.items():
        found = {key: seeded[name][key] for key in row}
        assert {**found, **dict.fromkeys(OURS)} == {**row, **dict.fromkeys(OURS)}, "run: make seed"
