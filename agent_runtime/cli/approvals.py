"""`agent-runtime approvals`: the tool calls, over all tasks, that wait for a word of mine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person
from agent_runtime.cli.output import clean, duration_text, escaped, make_console, one_line, print_json, time_text
from agent_runtime.cli.tasks import Json

if TYPE_CHECKING:
    from agent_runtime.person.client import Person
    from agent_runtime.person.records import ExecutionRow

_NONE = "Nothing waits for you: no call needs approval, and none is in doubt."


@app.command(epilog="Example: agent-runtime approvals --json")
def approvals(as_json: Json = False) -> None:
    """List the tool calls that wait for your approval, over all tasks, and those that are in doubt.

    An admin sees those of its tenant. Piped: one line per call, separated by tabs: id, state, tool, arguments as JSON,
    task, step, since, until, approvals given, approvals needed, who decided already (names with commas between them).
    """
    calls, me = as_person(_calls)
    if as_json:
        print_json(calls)
    elif not calls:
        make_console(stderr=True).print(_NONE)
    elif (console := make_console()).is_terminal:
        for call in calls:
            _print_block(console, call, me)
    else:
        for call in calls:
            console.file.write("\t".join(_fields(call)) + "\n")


async def _calls(person: Person) -> tuple[list[ExecutionRow], str | None]:
    return await person.calls_for_me(), person.session.user_id


def _fields(call: ExecutionRow) -> list[str]:
    import json

    arguments = json.dumps(call.input_parameters, ensure_ascii=True)
    since = call.turn.created_at.isoformat() if call.turn else ""
    until = call.approval_expires_at.isoformat() if call.approval_expires_at else ""
    return [
        str(call.id),
        call.status,
        one_line(call.tool_name, 64),
        arguments,
        str(call.task_id),
        str(call.step),
        since,
        until,
        str(len(call.approved_by)),
        str(call.approvals_needed),
        ", ".join("you" if one.is_me else one_line(one.name or "?", 100) for one in call.decisions),
    ]


def _print_block(console: Console, call: ExecutionRow, me: str | None) -> None:
    """One call: what it is, why, with which arguments, and the command that decides it."""
    from agent_runtime.cli.decide import argument_lines, reach_lines
    from agent_runtime.cli.watch_lines import decision_text

    in_doubt = call.status == "in_doubt"
    mark, style = ("?", "red") if in_doubt else ("!", "magenta")
    head = Text.assemble((f"{mark} {escaped(call.tool_name)}", f"bold {style}"))
    head.append(f"  {_terms(call)}", style=style)
    console.print(head)
    if call.task:
        title = one_line(call.task.title, 80)
        console.print(
            Text.assemble("  ", (title, "bold"), (f"  step {call.step} of task {call.task_id}", "bright_black"))
        )
    if call.turn and (why := one_line(clean(call.turn.content), 300)):
        console.print(Text(f"  “{why}”", style="italic"))
    for line in reach_lines(call):
        console.print(line)
    if call.original_parameters is None:
        lines = argument_lines(call.input_parameters)
    else:
        console.print(Text("  edited by a person: - is what the agent asked for, + what will run", style="magenta"))
        lines = argument_lines(call.original_parameters, call.input_parameters)
    for line in lines:
        console.print(Text.assemble("  ", line))
    for decision in call.decisions:
        who = "you" if decision.is_me else one_line(decision.name or "somebody who is gone", 100)
        said = Text.assemble("  ", decision_text(decision.verdict, who))
        if decision.verdict == "approved" and decision.input_digest != call.input_digest:
            said.append(", with the arguments as they were then", style="yellow")
        if decision.reason:
            said.append(f": {one_line(decision.reason, 300)}")
        console.print(said)
    if in_doubt:
        console.print(Text(f"  agent-runtime tasks settle {call.id} --happened | --did-not-happen", style=style))
    elif me is not None and me in {str(one) for one in call.approved_by}:
        console.print(Text("  you have approved; it waits for another person", style=style))
    else:
        console.print(Text(f"  agent-runtime tasks approve {call.id}   or: … tasks deny …", style=style))
    console.print()


def _terms(call: ExecutionRow) -> str:
    """`waits 3 min 5 s · until 2026-01-01 14:05:00 · 0 of 1 approvals`."""
    now = datetime.now(UTC)
    terms = []
    if call.turn:
        asked = f"asked {duration_text(max(0.0, 1_000 * (now - call.turn.created_at).total_seconds()))} ago"
        terms.append(asked)
    if call.status == "in_doubt":
        return " · ".join(["in doubt: nobody knows whether it took effect", *terms])
    if call.approval_expires_at:
        over = call.approval_expires_at <= now
        terms.append("the time to decide is over" if over else f"until {time_text(call.approval_expires_at)}")
    terms.append(f"{len(call.approved_by)} of {call.approvals_needed} approvals")
    return " · ".join(terms)
