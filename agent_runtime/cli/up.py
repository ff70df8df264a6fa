"""`agent-runtime up`: everything on one machine, from Postgres to a worker, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from agent_runtime.cli import app
from agent_runtime.errors import ConfigError

if TYPE_CHECKING:
    from agent_runtime.local.first_user import SignedIn
    from agent_runtime.local.stack import Stack
    from agent_runtime.person.session import Session


@app.command(
    epilog="Example: agent-runtime up, then in another terminal: agent-runtime submit 'Summarise it' --file a.csv"
)
def up(
    data_dir: Annotated[
        Path | None,
        typer.Option(envvar="AGENT_RUNTIME_DATA_DIR", show_default=False, help="Folder for all data of this stack."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(show_default=False, help="Port of the Supabase API; free and kept if left away.")
    ] = None,
    model_url: Annotated[
        str | None, typer.Option(show_default=False, help="Ollama's URL; else OLLAMA_HOST, else localhost:11434.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(show_default=False, help="Model for every agent, whatever the agent names.")
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option(show_default=False, exists=True, dir_okay=False, help="Script for the stand-in model server."),
    ] = None,
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Run a worker too.")] = True,
    web: Annotated[bool, typer.Option("--web/--no-web", help="Serve the web UI too.")] = True,
) -> None:
    """Run Postgres, the Supabase API, a model server, a worker and the web UI on this machine until Ctrl-C."""
    try:
        from agent_runtime.local.folder import default_path
        from agent_runtime.local.stack import Stack
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'agent-runtime[local]'") from None
    console = Console(highlight=False)
    progress = Progress(console)
    stack = Stack(
        data_dir or default_path(),
        api_port=port,
        model_url=model_url,
        model=model,
        script=script.resolve() if script else None,
        on_part=progress.on_part,
    )
    try:
        asyncio.run(_until_signal(_serve(stack, console, progress, with_worker=worker, with_web=web)))
    except OSError as error:
        # A full disk, a folder that vanished: the operator's to mend.
        where = f"{error.filename}: " if error.filename else ""
        raise ConfigError(f"{where}{error.strerror or error}") from None
    console.print("Stopped.")


async def _until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP asks for the end; then let it stop in order, however often it is asked."""
    task = asyncio.create_task(work)
    asked = False

    def ask() -> None:
        nonlocal asked
        if not asked:
            asked = True
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ask)
    try:
        await task
    except asyncio.CancelledError:
        if not asked:
            raise


async def _serve(stack: Stack, console: Console, progress: Progress, *, with_worker: bool, with_web: bool) -> None:
    from agent_runtime.local.first_user import make_operator, sign_in_first_user
    from agent_runtime.local.supervisor import keep_alive

    try:
        with progress:
            await stack.start()
            web_start = stack.begin_web() if with_web else None
            if with_worker:
                await stack.start_worker()
            web = await web_start if web_start else None
            user = await sign_in_first_user(
                stack.folder.first_user, supabase_url=stack.supabase_url, publishable_key=stack.publishable_key
            )
            if user:
                await make_operator(stack.database_url, user)
                _keep_session(session_of(stack, user), stack.notes)
        _print_summary(console, stack, user, web.url if web else None, progress.seconds)
        await keep_alive(stack.parts, lambda line: console.print(escape(line), style="yellow"))
    finally:
        # Shielded from nothing: a second signal is ignored by _until_signal, so this runs to its end.
        with console.status("Stopping…") if console.is_terminal else contextlib.nullcontext():
            await stack.stop()


def _keep_session(made: Session, notes: list[str]) -> None:
    """Sign the first user in on this machine, unless a person is signed in to a Supabase elsewhere."""
    from agent_runtime.http_clients import is_loopback
    from agent_runtime.person import session

    try:
        kept = session.load()
    except ConfigError:
        kept = None
    if kept is None or is_loopback(kept.supabase_url):
        session.save(made)
        return
    notes.append(
        f"You stay signed in at {kept.supabase_url} as {kept.email}; for this stack: "
        f"agent-runtime login --url {made.supabase_url} --key {made.publishable_key} --email {made.email}"
    )


def session_of(stack: Stack, user: SignedIn) -> Session:
    """A person's session on this stack."""
    from agent_runtime.person.session import Session

    return Session(
        supabase_url=stack.supabase_url,
        publishable_key=stack.publishable_key,
        access_token=user.access_token,
        refresh_token=user.refresh_token,
        expires_at=user.expires_at,
        email=user.email,
        user_id=user.user_id,
    )


class Progress:
    """Shows what is being started, and leaves a line per part with its seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("Starting…")
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    def __enter__(self) -> None:
        if self._console.is_terminal:
            self._status.start()

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def on_part(self, part: str, seconds: float | None) -> None:
        if seconds is None:
            self._status.update(f"Starting: {part}…")
            return
        self._console.print(Text.assemble(("✓", "green"), f" {part:<24}{seconds:6.2f} s"))


def _print_summary(console: Console, stack: Stack, user: SignedIn | None, web_url: str | None, seconds: float) -> None:
    for note in stack.notes:
        console.print(escape(f"Note: {note}"), style="yellow")
    table = Table(title=f"Running, started in {seconds:.1f} s", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for label, value in _summary(stack, user, web_url):
        table.add_row(label, escape(value))
    console.print(table)
    if stack.is_stand_in:
        console.print(
            "The model is a stand-in: fixed rules, no language model. For a real one install Ollama, "
            "run `ollama pull qwen3:8b`, and start this again.",
            style="bold yellow",
        )
    if user:
        console.print(
            escape('Try, in another terminal: agent-runtime submit "What is in this file?" --file x.csv --wait')
        )
    console.print("Stop with Ctrl-C.")


def _summary(stack: Stack, user: SignedIn | None, web_url: str | None) -> list[tuple[str, str]]:
    credentials = stack.folder.first_user
    model = stack.model or "each agent's own"
    server = "the built-in stand-in" if stack.is_stand_in else f"Ollama {stack.ollama.version}" if stack.ollama else ""
    return [
        ("Web UI", web_url or "off (--no-web)"),
        ("Supabase API", stack.supabase_url),
        ("Publishable key", stack.publishable_key),
        ("Postgres", f"{stack.postgres.address} (passwords in {stack.folder.secrets})"),
        ("Model", f"{model}, from {server} at {stack.model_url}"),
        ("Worker", "running" if "worker" in stack.parts else "none: start one with `agent-runtime run`"),
        ("First user", _user_line(user, credentials)),
        ("Data folder", str(stack.data_dir)),
        ("Logs", str(stack.folder.logs)),
    ]


def _user_line(user: SignedIn | None, credentials: Path) -> str:
    if user is None:
        return f"not signed in: its password is no longer the one in {credentials}; use `agent-runtime login`"
    return f"{user.email}, signed in (password in {credentials})"
