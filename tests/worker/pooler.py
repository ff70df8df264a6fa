"""A real PgBouncer in front of a database. It is a system package that not every machine has."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from agent_runtime.local import ports
from agent_runtime.local.processes import Child, Program
from agent_runtime.local.service_user import choose_service_user

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")

needs_pooler = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed")


@asynccontextmanager
async def pooling(conninfo: str, folder: Path, mode: Literal["transaction", "session"]) -> AsyncIterator[str]:
    """Where to connect instead. `folder` must be one that the unprivileged user can enter."""
    assert PROGRAM is not None, "marked with needs_pooler"
    folder.mkdir(mode=0o711)
    parts, port = conninfo_to_dict(conninfo), ports.choose(None, taken=set())
    user = choose_service_user(folder)
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        "[databases]\n"
        f"pooled = host={parts['host']} port={parts['port']} dbname={parts['dbname']}"
        f" user={parts['user']} password={parts['password']}\n"
        "[pgbouncer]\n"
        f"listen_addr = {ports.HOST}\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = {mode}\ndefault_pool_size = 10\n"
    )
    if user:
        user.own(settings)
    program = Program(
        name="pgbouncer",
        argv=[PROGRAM, str(settings)],
        environment={},
        user=user,
        stop_signal=signal.SIGINT,
        stop_seconds=2,
    )
    child = await Child.start(program, records=folder, logs=folder)
    pooled = f"postgresql://anyone@{ports.HOST}:{port}/pooled"
    try:
        async with asyncio.timeout(20):
            while True:
                child.check_running()
                try:
                    await (await psycopg.AsyncConnection.connect(pooled)).close()
                    break
                except psycopg.OperationalError:
                    await asyncio.sleep(0.02)
        yield pooled
    finally:
        await child.stop()
