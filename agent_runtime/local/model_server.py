"""The scripted model server as a part of the embedded stack, for machines without Ollama. It is no language model."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from agent_runtime.errors import ModelUnavailable
from agent_runtime.local.ollama import probe
from agent_runtime.local.ports import HOST
from agent_runtime.local.processes import Child, Program

STAND_IN = "stand-in"

_RETRY_SECONDS = 0.03


class ScriptedModelServer:
    """The server as a process. It follows `script`, or without one a small fixed policy."""

    def __init__(self, *, port: int, records: Path, logs: Path, script: Path | None = None) -> None:
        self.port, self._script, self._records, self._logs = port, script, records, logs
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The model server's base URL."""
        return f"http://{HOST}:{self.port}"

    @property
    def child(self) -> Child:
        """The running server."""
        if self._child is None:
            raise ModelUnavailable("the scripted model server has not been started")
        return self._child

    async def start(self, *, timeout_seconds: float = 30.0) -> None:
        """Start the server and wait until it answers.

        Raises `Unavailable` when it ends (a script with an error, for example) or stays silent.
        """
        script: Sequence[str] = ["--script", str(self._script)] if self._script else []
        program = Program(
            name="model-server",
            argv=[sys.executable, "-m", "agent_runtime", "model-server", "--port", str(self.port), *script],
            environment=os.environ,
            cwd=self._records.parent,
        )
        self._child = await Child.start(program, records=self._records, logs=self._logs)
        try:
            async with asyncio.timeout(timeout_seconds):
                while await probe(self.url) is None:
                    self.child.check_running()
                    await asyncio.sleep(_RETRY_SECONDS)
        except TimeoutError:
            await self.stop()
            raise ModelUnavailable(f"the scripted model server did not answer (log: {self.child.log})") from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the server."""
        if self._child:
            await self._child.stop()
