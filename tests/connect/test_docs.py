"""The examples of docs/connect.md are rows that work, as files and in the table."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.types.json import Jsonb

from agent_runtime.toolbox.connect.declared import Declaration, read_declaration
from agent_runtime.toolbox.connect.rows import make_tool
from tests.connect.rows import Caller

if TYPE_CHECKING:
    from tests.conftest import Database

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "connect.md").read_text()


@pytest.fixture
def examples(tmp_path: Path) -> dict[str, Declaration]:
    found = {}
    for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / "row.yaml").write_text(text)
        declaration = read_declaration(tmp_path / "row.yaml")
        make_tool(declaration.as_row())
        found[declaration.name] = declaration
    assert set(found) == {"search_issues", "count_lines", "vat", "clock", "tracker"}
    return found


async def test_the_examples_run(caller: Caller, examples: dict[str, Declaration]) -> None:
    caller.folder.mkdir()
    (caller.folder / "-n.txt").write_text("a\na.b\nab\n")
    counted = await caller(examples["count_lines"].as_row(), text="-a", path="-n.txt")
    assert (counted.status, counted.content) == ("failed", "it failed with exit code 1\n0")
    assert (await caller(examples["count_lines"].as_row(), text="a.", path="-n.txt")).content == "1"
    assert (await caller(examples["vat"].as_row(), amounts=[100, 9.99], percent=21)).data["result"] == [121.0, 12.09]
    refused = await caller(examples["search_issues"].as_row(), project="..", text="a")
    assert "cannot be part of this tool's address" in refused.content
    pytest.importorskip("mcp")
    assert [row["name"] for row in (await caller(examples["clock"].as_row())).data["tools"]] == ["clock_convert_time"]


def test_the_examples_are_added_disabled_and_once(database18: Database, examples: dict[str, Declaration]) -> None:
    with psycopg.connect(database18.owner, autocommit=True) as owner:
        owner.execute("insert into public.tenants (slug, name) values ('acme', 'Acme')")
        given = [declaration.as_declaration("acme") for declaration in examples.values()]
        added = owner.execute("select * from public.sync_tools(%s)", [Jsonb(given)]).fetchall()
        assert sorted(added) == sorted((name, "added, disabled") for name in examples)
        assert owner.execute("select * from public.sync_tools(%s)", [Jsonb(given)]).fetchall() == []
        given[0]["config"] = {"url": "https://api.example.org/v2"}
        changed = owner.execute("select * from public.sync_tools(%s)", [Jsonb(given)]).fetchall()
        assert changed == [("search_issues", "updated")]
        # Another's row of the same name is nobody else's to change.
        given[0]["tenant"] = None
        assert owner.execute("select * from public.sync_tools(%s)", [Jsonb(given[:1])]).fetchall() == []
        with pytest.raises(psycopg.Error, match="there is no tenant of that slug"):
            owner.execute("select * from public.sync_tools(%s)", [Jsonb([{**given[0], "tenant": "nobody"}])])
        rows = owner.execute(
            "select name, taints, outward, destination, is_enabled, requires_confirmation, implementation_code is not null,"
            " config #>> '{headers,Authorization}' from public.tools t join public.tenants o on o.id = t.tenant_id"
            " where o.slug = 'acme' order by name"
        ).fetchall()
        assert rows == [
            ("clock", True, False, "=server clock", False, False, False, None),
            ("count_lines", True, False, None, False, False, False, None),
            ("search_issues", True, True, "=api.example.org", False, False, False, None),
            ("tracker", True, True, "=server tracker", False, True, False, "Bearer {{credential:tracker}}"),
            ("vat", True, False, None, False, False, True, None),
        ]
        (statement,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
        assert owner.execute(statement).fetchall() == [("weather_today", "added, disabled")]
        row = owner.execute("select config from public.tools where name = 'weather_today'").fetchone()
        assert json.dumps(row) == '[{"url": "https://api.example.org/v1/weather/{{city}}"}]'
