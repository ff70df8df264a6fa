"""`agent-runtime tasks children` and `tasks retry`: the tasks that a task gave away, item by item."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from agent_runtime.cli.acting import as_person, parse_id
from agent_runtime.cli.output import make_console, one_line, print_json, print_table, task_state
from agent_runtime.cli.tasks import Json, TaskId, tasks

if TYPE_CHECKING:
    from agent_runtime.person.records import ChildRow


@tasks.command(epilog="Example: agent-runtime tasks children 3f2a…")
def children(task_id: TaskId, as_json: Json = False) -> None:
    """List the tasks that a task gave away: one for each item, with its state and its result.

    Piped: one line each, separated by tabs: id, spawn, item, text, state, tries, result or reason. --json lists every
    try.
    """
    parent = parse_id(task_id)
    found = as_person(lambda person: person.children(parent))
    if as_json:
        print_json(found)
        return
    columns = ("task", "spawn", "item", "text", "status", "tries", "result")
    print_table(make_console(), columns, _rows(found), empty=f"Task {parent} gave no tasks away.")


@tasks.command(epilog="Example: agent-runtime tasks retry 3f2a… --item 3 --item 7")
def retry(
    task_id: TaskId,
    spawn: Annotated[
        int | None, typer.Option(min=1, help="Of this call of spawn_tasks, counted from 1; the last if left out.")
    ] = None,
    item: Annotated[
        list[int] | None, typer.Option(min=1, help="Only this item; may be given several times. Else all that failed.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Try failed and cancelled items again, each in a new task; what there is stays as it is.

    A task that waits for them gets their results; one that has ended stays as it ended, and its list shows them.
    """
    parent = parse_id(task_id)
    count = as_person(lambda person: person.retry_children(parent, spawn, item))
    if as_json:
        print_json({"retried": count})
    elif count:
        make_console().print(f"{count} tried again: agent-runtime tasks children {parent} shows how they fare.")
    else:
        make_console().print("Nothing to try again: none of these failed.")


def child_lines(found: Sequence[ChildRow]) -> list[Text]:
    """A line for each item, for `tasks show`."""
    return [
        Text.assemble(
            (f"  {item:>3} ", "bright_black"),
            (one_line(text, 60), ""),
            "  ",
            state,
            (f"  {one_line(given, 160)}", "bright_black"),
            no_wrap=True,
            overflow="ellipsis",
        )
        for _, _, item, text, state, _, given in _rows(found)
    ]


def _rows(found: Sequence[ChildRow]) -> list[tuple[str, str, str, str, Text, str, str]]:
    from agent_runtime.person.records import newest_of_items

    spawns = list(dict.fromkeys(row.spawn_id for row in found))
    tries = [(row.spawn_id, row.spawn_item) for row in found]
    return [
        (
            str(row.id),
            str(spawns.index(row.spawn_id) + 1),
            str(row.spawn_item),
            row.title,
            task_state(row),
            str(tries.count((row.spawn_id, row.spawn_item))),
            _given(row),
        )
        for row in newest_of_items(found)
    ]


def _given(row: ChildRow) -> str:
    result = (row.result or {}).get("result")
    if row.status != "completed":
        return row.error_message or ""
    return json.dumps(result, ensure_ascii=False) if result is not None else row.answer or ""
