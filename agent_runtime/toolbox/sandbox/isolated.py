"""Work on hostile input in a process of its own: what could take for ever or eat all memory there is stopped from here.

The process is this package's code with the worker's rights; it is bounded, not confined. What a model wrote runs in a
sandbox instead.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.sandbox.identity import is_root
from agent_runtime.toolbox.sandbox.launch import MIB, Launch

_ANSWER_LIMIT_BYTES = 16 * MIB
MEMORY_LIMIT_BYTES = 1024 * MIB
# CHOWN, DAC_OVERRIDE, FOWNER, by their numbers in capability(7).
_OF_FILES = (0, 1, 3)
_PARSING_LIMITS = {"AS": MEMORY_LIMIT_BYTES, "FSIZE": 0, "CORE": 0}


async def run_isolated(
    module: str,
    request: dict[str, Any],
    *,
    timeout_seconds: float,
    content: bytes = b"",
    folder: str = "/",
    environment: Mapping[str, str] | None = None,
    limits: dict[str, int] | None = None,
    opens_files: bool = False,
) -> dict[str, Any]:
    """Run `python -m module` with `request` as its argument and `content` as its input; its output is the answer.

    With `opens_files` a root worker's process may open what is in a workspace, which belongs to the commands' id;
    without it, it has the content alone. Without `limits` it may use 1 GiB of memory and write no file. Everything that
    it starts ends with it. Raises `ToolRefused` with what the process gave as `error`, or with the limit it reached.
    """
    # What runs in such a process imports this module too, and starts no process itself.
    from agent_runtime.toolbox.sandbox.processes import run_process

    launch = Launch(
        argv=[sys.executable, "-I", "-m", module, json.dumps(request)],
        folder=folder,
        limits=_PARSING_LIMITS if limits is None else limits,
        environment={"PATH": os.defpath, "LANG": "C.UTF-8", **(environment or {})},
        capabilities=list(_OF_FILES) if opens_files and is_root() else [],
    )
    result = await run_process(
        launch,
        stdin=content,
        timeout_seconds=timeout_seconds,
        output_limit_bytes=_ANSWER_LIMIT_BYTES,
    )
    if result.timed_out:
        raise ToolRefused(f"it took longer than {timeout_seconds:g} seconds and was stopped; ask for less at once")
    if result.truncated or result.flooded:
        raise ToolRefused(f"the answer is over {_ANSWER_LIMIT_BYTES} bytes; ask for less at once")
    if result.exit_code != 0:
        last = (result.stderr.strip().splitlines() or [f"it ended with {result.exit_code}"])[-1]
        reason = f"it needed more than {MEMORY_LIMIT_BYTES} bytes of memory" if "MemoryError" in last else last
        raise ToolRefused(f"this could not be processed: {reason}")
    answer: dict[str, Any] = json.loads(result.stdout)
    if "error" in answer:
        raise ToolRefused(str(answer["error"]))
    return answer
