"""`python -m bench.agentdojo`: attacks that a model obeys, through the gate or not, and how often a person is asked."""

from __future__ import annotations

import asyncio
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agent_runtime.errors import AgentRuntimeError
from bench.marked_page import Marks

if TYPE_CHECKING:
    from bench.agentdojo import injection_bench
    from bench.agentdojo.play import Played

WIDTH = 170
"""Of a table in a file, in characters."""
PAGE = Marks("agentdojo")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m bench.agentdojo --write docs/taint.md")
def main(
    quick: Annotated[bool, typer.Option("--quick", help="Three user tasks and two injections of each suite.")] = False,
    write: Annotated[Path | None, typer.Option(help="Write the tables into this page, between its markers.")] = None,
) -> None:
    """Play AgentDojo's user tasks and attacks with a model that obeys what it reads: 1 when one gets through."""
    if write:
        PAGE.check(write)
    # Of AgentDojo's own dependencies.
    warnings.simplefilter("ignore")
    sys.exit(asyncio.run(_run(quick, write)))


async def _run(quick: bool, write: Path | None) -> int:
    from bench.agentdojo import findings, injection_bench

    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    found, tried = await _play(quick)
    console.print(findings.for_terminal(found))
    console.print(findings.who_is_asked(found), highlight=False)
    console.print(findings.what_ran(found), highlight=False)
    console.print(injection_bench.told(tried), highlight=False)
    if quick:
        console.print("These were a few pairs: they show that it runs, nothing else.", style="yellow")
    if write:
        asked, ran = findings.who_is_asked(found), findings.what_ran(found)
        blocks = [findings.as_markdown(found), asked, ran, injection_bench.told(tried)]
        await asyncio.to_thread(PAGE.write, write, blocks)
    held = [played for played in found if played.way in ("gate, no policy", "gate with policy")]
    through = any(bool(one.ran) or (one.attacked and findings.acts(one)) for played in held for one in played.pairs)
    return int(through or any(one.succeeded for one in tried))


async def _play(quick: bool) -> tuple[list[Played], list[injection_bench.Tried]]:
    from bench.agentdojo import injection_bench, play
    from bench.agentdojo.gate import open_gate
    from bench.postgres import open_pair

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=2) as progress:
        bar = progress.add_task("AgentDojo", total=play.count(quick))
        async with open_pair(durable=False) as pair:

            def all_of_it() -> tuple[list[Played], list[injection_bench.Tried]]:
                with open_gate(pair.ours.worker, pair.ours.owner) as gate:
                    found = play.play(gate, quick, lambda: progress.advance(bar))
                    return found, injection_bench.attempt(gate)

            return await asyncio.to_thread(all_of_it)


if __name__ == "__main__":
    try:
        app(prog_name="python -m bench.agentdojo")
    except ModuleNotFoundError as missing:
        extra = "agentdojo" if (missing.name or "").split(".")[0] in ("agentdojo", "aib") else "local"
        sys.exit(f"bench.agentdojo: {missing.name} is not installed: pip install 'agent-runtime[{extra}]'")
    except AgentRuntimeError as error:
        sys.stderr.write(f"bench.agentdojo: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
