"""`agent-runtime tasks approve, deny, settle`: what a person says of a tool call."""

from __future__ import annotations

import difflib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.text import Text

from agent_runtime.cli.acting import as_person, parse_id
from agent_runtime.cli.output import escaped, json_lines, make_console, one_line, print_json
from agent_runtime.cli.tasks import Json, tasks
from agent_runtime.errors import ConfigError, IllegalTransition, InvalidInput

if TYPE_CHECKING:
    from agent_runtime.person.client import Person
    from agent_runtime.person.records import ExecutionRow

_SHOWN_BY = "approvals"
_MOST_LINES = 200
_MOST_SOURCES = 10
_MOST_LINE_CHARACTERS = 4_000

WaitingId = Annotated[str, typer.Argument(metavar="ID", help="The tool call, or the task if one call waits.")]


@tasks.command(epilog="""Example: agent-runtime tasks approve 7c1d… --arguments '{"command": "ls"}'""")
def approve(
    call_id: WaitingId,
    arguments: Annotated[
        str | None, typer.Option(metavar="JSON", help="Run it with these arguments instead; - reads standard input.")
    ] = None,
    edit: Annotated[bool, typer.Option("--edit", help="Change the arguments in $EDITOR first.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    digest: Annotated[
        str | None, typer.Option(help="The input_digest of what you saw, as --json of `approvals` gives it.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: Json = False,
) -> None:
    """Let a tool call run that waits for approval, as the agent asked for it or with other arguments.

    What will run is shown whole, and on a terminal asked about first, since `watch` and `tasks show` shorten it.
    It is refused when somebody changed the call after it was read. A tool can need two people's approval.
    """
    identifier = parse_id(call_id, "tool call", shown_by=_SHOWN_BY)
    if edit and arguments is not None:
        raise InvalidInput("give --arguments or --edit, not both")
    instead = None
    if arguments is not None:
        instead = _parse(sys.stdin.read() if arguments == "-" else arguments, "--arguments")
    call = as_person(lambda person: _one_call(person, identifier, "awaiting_approval"))
    if call.status != "awaiting_approval":
        raise IllegalTransition(f"tool execution {call.id} is {call.status}: there is nothing to decide")
    if edit:
        instead = _edited(call)
    if instead is not None:
        _check(instead, call)
    ask = sys.stdin.isatty() and not yes and not digest
    if ask:
        _show_what_runs(call, instead)
        if not typer.confirm("Run this?", err=True):
            raise InvalidInput("nothing was approved")
    seen = call.model_copy(update={"input_digest": digest}) if digest else call
    decided = as_person(lambda person: person.decide(seen, approve=True, reason=reason, arguments=instead))
    if as_json:
        print_json(decided)
        return
    if not ask:
        _show_what_runs(call, instead)
    if decided.status == "awaiting_approval":
        make_console().print(
            f"Tool call {decided.id} is approved by you; it needs {decided.approvals_needed} people,"
            " so it waits for another person."
        )
    else:
        make_console().print(f"Tool call {decided.id} is approved.")


@tasks.command(epilog="Example: agent-runtime tasks deny 7c1d… --reason 'not on this machine'")
def deny(
    call_id: WaitingId,
    reason: Annotated[str | None, typer.Option(help="What the agent is told.")] = None,
    as_json: Json = False,
) -> None:
    """Refuse a tool call that waits for approval; the agent is told and looks for another way."""
    identifier = parse_id(call_id, "tool call", shown_by=_SHOWN_BY)

    async def work(person: Person) -> ExecutionRow:
        call = await _one_call(person, identifier, "awaiting_approval")
        return await person.decide(call, approve=False, reason=reason)

    denied = as_person(work)
    if as_json:
        print_json(denied)
    else:
        make_console().print(f"Tool call {denied.id} is denied.")


@tasks.command(epilog="Example: agent-runtime tasks settle 7c1d… --happened --result 'the invoice is no. 812'")
def settle(
    call_id: Annotated[str, typer.Argument(metavar="ID", help="The tool call, or the task if one call is in doubt.")],
    happened: Annotated[
        bool | None, typer.Option("--happened/--did-not-happen", help="Whether the call took effect.")
    ] = None,
    result: Annotated[
        str | None, typer.Option(help="What it gave, or what you found; the agent reads it. - reads standard input.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say whether a tool call in doubt took effect: one that a crash cut short and that must not run twice."""
    identifier = parse_id(call_id, "tool call", shown_by=_SHOWN_BY)
    if happened is None:
        raise InvalidInput("did it take effect? say --happened or --did-not-happen")
    said = sys.stdin.read() if result == "-" else result

    async def work(person: Person) -> ExecutionRow:
        call = await _one_call(person, identifier, "in_doubt")
        return await person.settle(call.id, happened=happened, result=said)

    settled = as_person(work)
    if as_json:
        print_json(settled)
    else:
        words = "it happened" if happened else "it did not happen"
        make_console().print(f"Tool call {settled.id} is settled: {words}. The agent is told.")


async def _one_call(person: Person, identifier: UUID, status: str) -> ExecutionRow:
    """The call itself, or the only call in that state in the task of that id."""
    found = [call for call in await person.executions(identifier) if call.status == status]
    if len(found) > 1:
        calls = ", ".join(str(call.id) for call in found)
        state = "wait" if status == "awaiting_approval" else "are in doubt"
        raise IllegalTransition(f"{len(found)} tool calls of task {identifier} {state}: name one of {calls}")
    return await person.call(found[0].id if found else identifier)


def _parse(text: str, source: str) -> dict[str, Any]:
    """Raises `InvalidInput` that says where it is no JSON, or what it is instead of an object."""
    try:
        value = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(f"{source}: not JSON at {where} ({error.msg}); nothing was approved") from None
    except ValueError as error:
        raise InvalidInput(f"{source}: {error}; nothing was approved") from None
    except RecursionError:
        raise InvalidInput(f"{source}: JSON within JSON, too deep; nothing was approved") from None
    if not isinstance(value, dict):
        raise InvalidInput(f'{source}: an object is needed, as in {{"name": "value"}}; nothing was approved')
    return value


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def _check(arguments: dict[str, Any], call: ExecutionRow) -> None:
    """Hold the arguments against the tool's schema. Raises `InvalidInput` with the first problem."""
    import jsonschema  # type: ignore[import-untyped]

    schema = call.tool.parameters if call.tool else {}
    try:
        problem = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(arguments))
    except Exception:  # a schema that is none, or refers to another that is not here: the tool itself checks again
        return
    if problem is not None:
        where = "".join(f"{step}: " for step in problem.absolute_path)
        raise InvalidInput(
            f"the arguments do not fit {one_line(call.tool_name, 64)}: {one_line(f'{where}{problem.message}', 300)};"
            " nothing was approved"
        )


def _edited(call: ExecutionRow) -> dict[str, Any]:
    """What the person makes of the arguments in an editor of their own."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="agent-runtime-") as folder:
        # Named after the tool, for whoever has many windows; the name is checked by the database.
        file = Path(folder) / f"{call.tool_name}.json"
        file.write_text("\n".join(json_lines(call.input_parameters)) + "\n", encoding="utf-8")
        try:
            ended = subprocess.run([*shlex.split(editor), str(file)], check=False).returncode
        except (OSError, ValueError) as error:
            raise ConfigError(f"EDITOR={one_line(editor, 60)} cannot be started ({error}): set EDITOR") from None
        if ended != 0:
            raise InvalidInput(f"{one_line(editor, 60)} ended with {ended}: nothing was approved")
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise InvalidInput("the edited file cannot be read: nothing was approved") from None
    if not text.strip():
        raise InvalidInput("the edited file is empty: nothing was approved")
    return _parse(text, "the edited arguments")


def _show_what_runs(call: ExecutionRow, instead: dict[str, Any] | None) -> None:
    """The call whole, or what was changed in it; on standard error, beside what the command says it did."""
    console = make_console(stderr=True)
    console.print(Text.assemble((escaped(call.tool_name), "bold"), f"  step {call.step}"))
    for line in reach_lines(call):
        console.print(line)
    for line in argument_lines(call.input_parameters, instead):
        console.print(line)


def reach_lines(call: ExecutionRow) -> list[Text]:
    """What the task has read from outside, and where the call wants to go with it; none of a call that does not."""
    if call.reach is None:
        return []
    sources = [escaped(" ".join(str(one.get("source", "")).split()))[:200] for one in call.reach.sources]
    shown, more = sources[:_MOST_SOURCES], len(sources) - _MOST_SOURCES
    said = ", ".join(shown or ["something from outside"]) + (f" and {more} more" if more > 0 else "")
    lines = [Text(f"  this task has read: {said}", style="yellow")]
    if call.reach.destinations:
        goes = ", ".join(escaped(one)[:200] for one in call.reach.destinations[:_MOST_SOURCES])
        more = len(call.reach.destinations) - _MOST_SOURCES
        lines.append(Text(f"  it wants to reach: {goes}{f' and {more} more' if more > 0 else ''}", style="yellow"))
    return lines


def argument_lines(arguments: dict[str, Any], instead: dict[str, Any] | None = None) -> list[Text]:
    """The arguments whole; with `instead`, a diff from the one to the other."""
    before = json_lines(arguments)
    if instead is None or instead == arguments:
        return _shortened([Text(f"  {line}") for line in before])
    after, styles = json_lines(instead), {"-": "red", "+": "green"}
    # By whole lines: a comparison within lines takes minutes where one holds a file.
    _, _, _, *lines = difflib.unified_diff(before, after, n=len(before) + len(after), lineterm="")
    return _shortened([Text(f"{line[0]} {line[1:]}", style=styles.get(line[0], "")) for line in lines])


def _shortened(lines: list[Text]) -> list[Text]:
    for line in lines[:_MOST_LINES]:
        if (left := len(line) - _MOST_LINE_CHARACTERS) > 0:
            line.truncate(_MOST_LINE_CHARACTERS)
            line.append(f" … {left:,} more characters: `tasks show --json` has them", style="yellow")
    if (left := len(lines) - _MOST_LINES) > 0:
        lines = [*lines[:_MOST_LINES], Text(f"… {left:,} more lines: `tasks show --json` has them", style="yellow")]
    return lines
