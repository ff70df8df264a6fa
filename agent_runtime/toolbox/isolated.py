"""Work on hostile input in a process of its own: what could take for ever or eat all memory there is stopped from here.

The process is this package's code with the worker's rights; it is bounded, not confined. What a model wrote runs in a
sandbox instead.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.launch import LAUNCHER, MIB, Launch
from agent_runtime.toolbox.processes import run_process

_ANSWER_LIMIT_BYTES = 16 * MIB


async def run_isolated(
    module: str,
    request: dict[str, Any],
    *,
    content: bytes = b"",
    timeout_seconds: float,
    memory_bytes: int = 1024 * MIB,
) -> dict[str, Any]:
    """Run `python -m module` with `request` as its argument and `content` as its input; its output is the answer.

    Raises `ToolRefused` with what the process gave as `error`, or with the limit that it reached.
    """
    launch = Launch(
        folder="/",
        limits={"AS": memory_bytes, "CPU": round(timeout_seconds) + 1, "FSIZE": 0, "CORE": 0},
        environment={"PATH": os.defpath, "LANG": "C.UTF-8"},
        supervise=True,
    )
    result = await run_process(
        launch.argv(str(LAUNCHER), [sys.executable, "-I", "-m", module, json.dumps(request)]),
        stdin=content,
        timeout_seconds=timeout_seconds,
        output_limit_bytes=_ANSWER_LIMIT_BYTES,
        stop_signal=signal.SIGTERM,
    )
    if result.timed_out or result.exit_code == 128 + signal.SIGXCPU:
        raise ToolRefused(f"it took longer than {timeout_seconds:g} seconds and was stopped; ask for less at once")
    if result.truncated or result.flooded:
        raise ToolRefused(f"the answer is over {_ANSWER_LIMIT_BYTES} bytes; ask for less at once")
    if result.exit_code != 0:
        last = (result.stderr.strip().splitlines() or [f"it ended with {result.exit_code}"])[-1]
        reason = f"it needed more than {memory_bytes} bytes of memory" if "MemoryError" in last else last
        raise ToolRefused(f"this could not be processed: {reason}")
    answer: dict[str, Any] = json.loads(result.stdout)
    if "error" in answer:
        raise ToolRefused(str(answer["error"]))
    return answer
