"""The documentation names what there is: each limit, each key of the configuration, each command."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from agent_runtime import resources
from agent_runtime.cli import app, limits
from agent_runtime.cli.commands import command_for

DOCS = Path(__file__).resolve().parents[2] / "docs"


def rows(page: str, heading: str) -> list[str]:
    """The first cells of the first table below a heading."""
    section = (DOCS / page).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = section.split("\n|---")[1].split("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def test_each_limit_has_a_row() -> None:
    (names,) = re.findall(
        r"select array\[(.*?)\]", (resources.sql() / "functions" / "limits.sql").read_text(), re.DOTALL
    )
    assert rows("control.md", "Limits") == re.findall(r"'(\w+)'", names)


def test_limits_are_called_the_same_in_commands_and_on_screens() -> None:
    screen = (
        (DOCS.parent / "ui" / "src" / "i18n" / "en" / "admin.ts")
        .read_text()
        .split("\n  limits: {")[1]
        .split("\n  },")[0]
    )

    def words(of: str) -> dict[str, str]:
        return dict(re.findall(r"(\w+): '(.*?)'", screen.split(f" {of}: {{")[1].split("}")[0]))

    names, units = words("names"), words("units")
    assert {name: (names[name], units[name]) for name in names} == limits.WORDS
    assert f"noneSet: '{limits.NONE_SET}'" in screen


def test_each_key_of_the_configuration_has_a_row() -> None:
    seed = (resources.sql() / "seed" / "system_config.sql").read_text()
    assert rows("admin.md", "Configuration") == re.findall(r"\('(\w+)', '", seed)


def test_each_script_for_admins_has_a_row_with_its_parameters() -> None:
    page = (DOCS / "admin.md").read_text()
    for script in (resources.sql() / "seed" / "admin").glob("*.sql"):
        block = script.read_text().split("-- Parameters --")[1].split("  -----")[0]
        (row,) = re.findall(rf"^\| `{script.name}` \|.*$", page, re.MULTILINE)
        assert re.findall(r"`(v_\w+)`", row) == re.findall(r"^  (v_\w+) ", block, re.MULTILINE), script.name


def test_each_command_is_named() -> None:
    page = (DOCS / "commands.md").read_text()
    # No command is meant, so that all are there.
    command_for([])

    def names(of: typer.Typer, before: str = "") -> list[str]:
        found = []
        for command in of.registered_commands:
            assert command.callback is not None
            found.append(before + (command.name or command.callback.__name__.replace("_", "-")))
        for group in of.registered_groups:
            assert group.typer_instance is not None
            name = group.name if isinstance(group.name, str) else group.typer_instance.info.name
            found += names(group.typer_instance, f"{name} ")
        return found

    known = set(re.findall(r"`([a-z]+(?:-[a-z]+)?(?: [a-z]+)?)", page))
    assert {"workers", "approvals", "tasks settle", "tasks pause"} <= set(names(app))
    assert set(names(app)) - known - {"demo"} == set()
