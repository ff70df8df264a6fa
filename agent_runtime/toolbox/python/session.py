"""The worker's side of a Python that stays open: one call at a time, each with a word that its answer must carry."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agent_runtime.toolbox.sandbox.choice import Sandbox
from agent_runtime.toolbox.sandbox.running import Running
from agent_runtime.toolbox.web.egress import EgressGuard

_FOLDER = Path(__file__).parent
_ANSWER_LIMIT_BYTES = 16 * 1024 * 1024
_PATIENCE_SECONDS = 75.0
"""Beyond the call's own time: the interpreter's start, and the keeper's ways to end a call."""

ENVIRONMENT = {
    "MPLBACKEND": "Agg",
    # Each thread of a numeric library reserves address space, which is bounded.
    "OPENBLAS_NUM_THREADS": "2",
    "OMP_NUM_THREADS": "2",
    "MKL_NUM_THREADS": "2",
    "NUMEXPR_NUM_THREADS": "2",
}


@dataclass(frozen=True)
class Answer:
    """How a call ended. After `died` the interpreter is gone, and with it all that was defined."""

    state: Literal["done", "interrupted", "died"]
    output: str
    value: str | None = None
    error: str | None = None
    """The traceback, from the code's own first line on."""
    summary: str = ""
    """The error in a line."""
    figures: tuple[str, ...] = ()
    how: str = ""
    """What ended it: the signal or exit code of the interpreter, or `time` and `flood` for an interrupt."""


class PythonSession:
    """An interpreter in the sandbox, with its keeper."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._rest = b""
        self.calls = 0

    @classmethod
    async def open(cls, sandbox: Sandbox, workspace: Path, *, network: EgressGuard | None = None) -> PythonSession:
        """A new interpreter. Raises `ToolRefused` when nothing can be started here."""
        keeper, interpreter = ((_FOLDER / name).read_text() for name in ("keeper.py", "interpreter.py"))
        argv = ["python3", "-I", "-S", "-c", keeper, interpreter]
        running = await sandbox.start(argv, workspace=workspace, environment=ENVIRONMENT, network=network)
        return cls(running)

    async def run(self, code: str, seconds: float) -> Answer:
        """Run code for so long at most. When this is cancelled, the session is of no more use and must be closed."""
        self.calls += 1
        word = secrets.token_hex(16)
        request = json.dumps({"id": word, "code": code, "seconds": seconds}) + "\n"
        try:
            async with asyncio.timeout(seconds + _PATIENCE_SECONDS):
                await self._running.write(request.encode())
                return _checked(await self._line(), word)
        except TimeoutError:
            return Answer("died", "", how="it did not answer")
        except (BrokenPipeError, EOFError, ValueError):
            errors = self._running.errors.strip().splitlines()
            return Answer("died", "", how=errors[-1][:300] if errors else "its process ended")

    async def close(self) -> None:
        """End the interpreter and everything that it started."""
        await self._running.close()

    async def _line(self) -> bytes:
        while b"\n" not in self._rest:
            chunk = await self._running.read()
            self._rest += chunk
            if not chunk:
                raise EOFError
            if len(self._rest) > _ANSWER_LIMIT_BYTES:
                raise ValueError("the answer is too long")
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def _checked(line: bytes, word: str) -> Answer:
    """What the keeper says, held to its shape. Raises `ValueError` for anything else."""
    answer: dict[str, Any] = json.loads(line)
    if not isinstance(answer, dict) or answer.get("id") != word or answer.get("state") not in _STATES:
        raise ValueError("not an answer to this call")
    figures = answer.get("figures")
    return Answer(
        state=answer["state"],
        output=_text(answer.get("output")) or "",
        value=_text(answer.get("value")),
        error=_text(answer.get("error")),
        summary=(_text(answer.get("summary")) or "").partition("\n")[0],
        figures=tuple(path for path in figures if isinstance(path, str)) if isinstance(figures, list) else (),
        how=_text(answer.get("how") or answer.get("why")) or "",
    )


_STATES = ("done", "interrupted", "died")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
