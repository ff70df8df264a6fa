"""Sweeping: the bytes of temporary files that expired, and of uploads that no task was ever submitted for."""

from __future__ import annotations

from agent_runtime.db.store import Store
from agent_runtime.errors import AgentRuntimeError
from agent_runtime.storage import Storage
from agent_runtime.structlog_alone import structlog

log = structlog.get_logger()


async def sweep_files(store: Store, storage: Storage) -> int:
    """Remove what expired: bytes first, rows after, so that a crash in between forgets nothing. Returns how many.

    Trouble is logged and left for the next time; nobody waits for a sweep.
    """
    swept = 0
    try:
        while expired := await store.expired_files():
            await storage.remove([row["file_path"] for row in expired if row["file_path"]])
            await store.forget_files([row["id"] for row in expired if row["id"] is not None])
            swept += len(expired)
            log.info("swept expired files", files=len(expired))
    except AgentRuntimeError as error:
        log.warning("expired files are swept later", error=str(error))
    return swept
