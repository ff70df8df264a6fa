"""The command line. Each command is a module of this package; this one joins them and ends every error in one line."""

from __future__ import annotations

import gc
import os
import sys

import typer

from agent_runtime import __version__
from agent_runtime.errors import AgentRuntimeError

app = typer.Typer(
    name="agent-runtime",
    help="An autonomous agent runtime on Supabase, with local models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"agent-runtime {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Delegate work to an agent that runs on your own machines."""


def main() -> None:
    """Entry point: run a command; an error that we raise on purpose becomes one line and an exit code."""
    # A start makes many objects that stay and hardly any garbage: looking for that costs a fifteenth of it.
    gc.set_threshold(50_000, 10, 10)
    # It imports this module.
    from agent_runtime.cli.commands import command_for

    try:
        command_for(sys.argv[1:])()
    except AgentRuntimeError as error:
        sys.stderr.write(f"agent-runtime: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if os.environ.get("AGENT_RUNTIME_DEBUG"):
            raise
        sys.stderr.write(
            f"agent-runtime: internal error, {type(error).__name__}: {str(error).strip().splitlines()[:1]}; "
            "set AGENT_RUNTIME_DEBUG=1 to see where\n"
        )
        sys.exit(1)
