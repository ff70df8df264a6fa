"""`agent-runtime model-server`: the stand-in for a model server, as a process of its own."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from agent_runtime.cli import app


@app.command("model-server", epilog="Example: agent-runtime model-server --port 0 --script answers.yaml")
def model_server(
    script: Annotated[
        Path | None, typer.Option(help="YAML script to follow. Without one, a small fixed policy answers.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")] = 11_434,
) -> None:
    """Speak Ollama's HTTP API without a language model: follow a script, or do simple work on files by fixed rules."""
    asyncio.run(_serve(script, host, port))


async def _serve(script: Path | None, host: str, port: int) -> None:
    from agent_runtime.llm.scripted import ScriptedServer

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with ScriptedServer(script, host=host, port=port) as server:
        typer.echo(f"model-server: a stand-in that answers {_how(script)}; it is not a language model")
        typer.echo(f"model-server: listening on {server.base_url}")
        await stop.wait()


def _how(script: Path | None) -> str:
    return f"by the script {script}" if script else "by a small fixed policy"
