"""Runs the server on a port of its own, inside the process that asks for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import uvicorn

from agent_runtime.listening import listen
from agent_runtime.llm.scripted.app import make_app
from agent_runtime.llm.scripted.policy import PolicyMind
from agent_runtime.llm.scripted.script import Mind, ScriptMind, load_script


class ScriptedServer:
    """`async with ScriptedServer(script=path) as server:` answers at `server.base_url` until the block ends.

    Without a script the stand-in policy answers. Port 0 takes a free one. Raises `ConfigError` for a bad script, and
    for a host or port that cannot be had.
    """

    def __init__(self, script: Path | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._mind: Mind = ScriptMind(load_script(script)) if script else PolicyMind()
        self._host, self._port = host, port

    @property
    def base_url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def __aenter__(self) -> ScriptedServer:
        listener = listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        # Nothing is worth waiting for at the end: a client treats a broken answer as no answer.
        config = uvicorn.Config(
            make_app(self._mind), log_config=None, log_level="critical", lifespan="off", timeout_graceful_shutdown=0
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        await self._server.ready.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        await self._serving


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the loop, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()
