"""`agent-runtime demo`: the main job from a question to a finished report, on a stack that goes away again."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from agent_runtime.cli import app
from agent_runtime.errors import ConfigError

if TYPE_CHECKING:
    from agent_runtime.cli.up import Progress
    from agent_runtime.local.stack import Stack
    from agent_runtime.person.client import Person
    from agent_runtime.person.records import TaskRow

QUESTION = "What does this file say? Write a report with a chart."


@app.command(epilog="Example: agent-runtime demo --file sales.csv --output out")
def demo(
    file: Annotated[
        Path | None, typer.Option(show_default=False, help="A file of your own instead of the example's.")
    ] = None,
    question: Annotated[str, typer.Option(help="What to ask about it.")] = QUESTION,
    output: Annotated[Path, typer.Option(help="Folder for what the agent hands back.")] = Path("demo-output"),
    model_url: Annotated[str | None, typer.Option(show_default=False, help="Ollama's URL.")] = None,
    model: Annotated[str | None, typer.Option(show_default=False, help="Model to use.")] = None,
) -> None:
    """Start everything, give the agent a file and a question, show it work, hand over the report, and stop."""
    try:
        from agent_runtime.local.stack import Stack
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'agent-runtime[local]'") from None
    from agent_runtime import resources
    from agent_runtime.cli.output import make_console
    from agent_runtime.cli.up import Progress
    from agent_runtime.cli.watch import exit_code

    console = make_console()
    progress = Progress(console)
    output.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="agent-runtime-demo-"))
    # For root, Postgres runs as another user, who must be able to get to its folder, though not to list this one.
    folder.chmod(0o711)
    try:
        stack = Stack(folder / "data", model_url=model_url, model=model, on_part=progress.on_part)
        attached = file or resources.examples() / "bike-rentals.csv"
        task = asyncio.run(_show(stack, console, progress, question, attached, output))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    raise typer.Exit(exit_code(task))


async def _show(stack: Stack, console: Console, progress: Progress, question: str, file: Path, output: Path) -> TaskRow:
    from agent_runtime.cli.watch import follow

    async with _running(stack, progress) as person:
        if stack.is_stand_in:
            console.print(
                "The model is a stand-in: fixed rules, no language model. With Ollama running, the demo uses that.",
                style="yellow",
            )
        console.print(f"\nQuestion  {question}\nFile      {file.name}\n", markup=False, highlight=False)
        task = await person.submit(question, [file])
        task = await follow(person, task.id, console, list_files=False)
        await _hand_over(person, task, console, output)
        await _count(person, task, console)
    return task


@asynccontextmanager
async def _running(stack: Stack, progress: Progress) -> AsyncIterator[Person]:
    """The stack with a worker, and its first user, whose session is kept nowhere."""
    from agent_runtime.cli.up import session_of
    from agent_runtime.local.first_user import sign_in_first_user
    from agent_runtime.person.client import Person

    try:
        with progress:
            await stack.start()
            await stack.start_worker()
        user = await sign_in_first_user(
            stack.folder.first_user, supabase_url=stack.supabase_url, publishable_key=stack.publishable_key
        )
        if user is None:
            raise ConfigError("the demo's own user could not sign in")
        async with Person(session_of(stack, user), keep=False) as person:
            yield person
    finally:
        await stack.stop()


async def _hand_over(person: Person, task: TaskRow, console: Console, output: Path) -> None:
    """Download what the agent named as its result; each is compared with its recorded digest."""
    from agent_runtime.person.records import current_files

    named = set((task.result or {}).get("files", []))
    newest = {row.filename: row for row in current_files(await person.files(task.id)) if row.filename in named}
    for name, row in sorted(newest.items()):
        target = output / Path(name).name
        stored = await person.download(row, target)
        console.print(f"{target.resolve()}  ({stored.size_bytes} bytes, sha256 {stored.sha256[:12]}…)", markup=False)


async def _count(person: Person, task: TaskRow, console: Console) -> None:
    usage = task.usage
    console.print(
        f"\nOn record, under row-level security: {len(await person.messages(task.id))} messages, "
        f"{len(await person.executions(task.id))} tool executions, {len(await person.files(task.id))} files, "
        f"{len(await person.events(task.id))} events; {usage.get('steps', 0)} steps. "
        "`make up` keeps a stack running for tasks of your own.",
        highlight=False,
    )
