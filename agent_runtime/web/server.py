"""Runs the application on uvicorn, and ends it in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvicorn

from agent_runtime.listening import listen
from agent_runtime.structlog_alone import structlog
from agent_runtime.web.app import WebServer, open_web
from agent_runtime.web.settings import WebSettings

log = structlog.get_logger()

_GRACE_SECONDS = 0.7
_BACKLOG = 512


class RunningServer:
    """A server that listens at `url`. Made by `serving`."""

    def __init__(self, web: WebServer, server: _Server, url: str) -> None:
        self._web, self._server, self.url = web, server, url
        self.hub = web.hub

    def stop(self) -> None:
        """Begin to shut down: every stream is told so, and ends."""
        self._web.hub.close()
        self._server.should_exit = True


@contextlib.asynccontextmanager
async def serving(
    settings: WebSettings, bundle: Path | None, *, host: str, port: int
) -> AsyncIterator[tuple[RunningServer, asyncio.Task[None]]]:
    """A server and the task that ends when it has stopped. Port 0 takes a free one.

    Raises `ConfigError` for a host or port that cannot be had, and what `open_web` raises.
    """
    with contextlib.closing(listen(host, port, backlog=_BACKLOG)) as listener:
        # A client that takes nothing, but whose machine lives, is cut off by the kernel.
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(2_000 * settings.stall_seconds))
        async with open_web(settings, bundle) as web:
            config = uvicorn.Config(
                web.app,
                log_config=None,
                log_level="critical",
                access_log=False,
                lifespan="off",
                server_header=False,
                date_header=True,
                timeout_graceful_shutdown=max(1, round(settings.shutdown_seconds)),
                # Streams are counted by the hub; requests that wait for a slow API must not pile up without end.
                limit_concurrency=settings.streams + 1_000,
            )
            server = _Server(config)
            shown = f"[{host}]" if ":" in host else host
            running = RunningServer(web, server, f"http://{shown}:{listener.getsockname()[1]}")
            task = asyncio.create_task(server.serve(sockets=[listener]))
            await server.ready.wait()
            try:
                yield running, task
            finally:
                running.stop()
                await task


async def serve_until_signal(settings: WebSettings, bundle: Path | None, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends the process at once."""
    async with serving(settings, bundle, host=host, port=port) as (running, task):
        loop, asked = asyncio.get_running_loop(), False

        def stop() -> None:
            nonlocal asked
            if asked:
                _end_now()
            asked = True
            running.stop()
            loop.call_later(settings.shutdown_seconds + _GRACE_SECONDS, _end_now)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        log.info("web UI serves", url=running.url, built=bundle is not None, database=settings.database_url is not None)
        await task
        log.info("web UI stopped")


def _end_now() -> None:
    log.error("ending without waiting for what is still being sent")
    os._exit(1)


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
