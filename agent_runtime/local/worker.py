"""A worker as a process of the embedded stack: the same `agent-runtime run` that a fleet runs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg

from agent_runtime.errors import Unavailable
from agent_runtime.local.processes import Child, Program

_RETRY_SECONDS = 0.05


class WorkerProcess:
    """One worker. It gives its tasks back when it is stopped."""

    def __init__(
        self, settings: Mapping[str, str], *, database_url: str, records: Path, logs: Path, name: str = "worker"
    ) -> None:
        """`settings` are environment variables; `database_url` is the owner's, to see the worker sign on."""
        self._settings, self._database_url, self._name = settings, database_url, name
        self._records, self._logs = records, logs
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        """The running worker."""
        if self._child is None:
            raise Unavailable("the worker has not been started")
        return self._child

    async def start(self, *, timeout_seconds: float = 30.0) -> None:
        """Start the worker and wait until it has signed on in the table `workers`.

        Raises `Unavailable` with the log's last line when it ends or stays silent.
        """
        program = Program(
            name=self._name,
            argv=[sys.executable, "-m", "agent_runtime", "run"],
            environment={**os.environ, **self._settings},
            # Away from the operator's folder, whose .env is for another worker.
            cwd=self._records.parent,
        )
        self._child = await Child.start(program, records=self._records, logs=self._logs)
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._wait_until_signed_on()
        except TimeoutError:
            await self.stop()
            raise Unavailable(
                f"the worker did not sign on within {timeout_seconds:g} s (log: {self.child.log})"
            ) from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Let the worker give its tasks back, and end it."""
        if self._child:
            await self._child.stop()

    async def _wait_until_signed_on(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._database_url, autocommit=True) as connection:
            while True:
                self.child.check_running()
                found = await connection.execute(
                    "select from public.workers where pid = %s and started_at > now() - interval '10 minutes'",
                    [self.child.pid],
                )
                if await found.fetchone() is not None:
                    return
                await asyncio.sleep(_RETRY_SECONDS)
