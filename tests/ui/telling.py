"""A run that is told to the database by hand, with what its tools brought: for screens that show it."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any

import psycopg

from tests.e2e.desk import Work

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>\u202eevil [x](javascript:alert(1))"


async def told(
    work: Work,
    name: str,
    arguments: dict[str, Any],
    content: str,
    data: dict[str, Any] | None = None,
    *,
    says: str = "",
    status: str = "completed",
    error: str | None = None,
    effect: dict[str, Any] | None = None,
    files: list[dict[str, Any]] | None = None,
    milliseconds: int = 12,
) -> str:
    """A whole step with one call; the execution's id."""
    (execution,) = await work.turn({"name": name, "arguments": arguments}, content=says)
    await work.start(execution)
    await work._call(
        "worker_finish_execution", execution, status, content, json.dumps(data or {}), error, milliseconds,
        json.dumps(effect) if effect else None, json.dumps(files or []),
    )  # fmt: skip
    return execution


def folder_of(stack: Stack, task_id: uuid.UUID) -> str:
    """Where in the bucket the task's files are."""
    with psycopg.connect(stack.database_url) as owner:
        row = owner.execute("select tenant_id from tasks where id = %s", [task_id]).fetchone()
    assert row is not None
    return f"{row[0]}/{task_id}"


def made(folder: str, filename: str, size: int, kind: str = "text/plain") -> dict[str, Any]:
    """A file that a call wrote, as the worker records it; its bytes are nowhere."""
    digest = hashlib.sha256(f"{filename} {size}".encode()).hexdigest()
    return {
        "filename": filename,
        "file_path": f"{folder}/{digest}",
        "file_size": size,
        "mime_type": kind,
        "file_hash": digest,
    }


async def planned(work: Work, *phases: str) -> None:
    """The agent sets a plan."""
    await told(
        work, "plan_set", {"phases": list(phases)}, "plan set", effect={"kind": "plan_set", "phases": list(phases)}
    )


async def advanced(work: Work) -> None:
    """The agent goes on to the next phase."""
    await told(work, "plan_advance", {}, "phase done", effect={"kind": "plan_advance"})


async def notified(work: Work, text: str) -> None:
    """The agent says something."""
    await told(work, "message_notify", {"text": text}, "the person was told", effect={"kind": "notify", "text": text})
