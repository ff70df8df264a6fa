"""Stands between the worker and an interpreter, in the sandbox: hands code on, gathers what is printed, keeps time.

Run as `python -I -S -c KEEPER INTERPRETER`, with requests and answers as lines of JSON on its standard streams, which
no code of a model has: the interpreter is a process of its own. It imports the standard library alone, because inside
a sandbox nothing else of this package is there. When the interpreter is gone, it says so and ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from typing import Any

OUTPUT_LIMIT_BYTES = 1024 * 1024
FLOOD_BYTES = 64 * 1024 * 1024
GRACE_SECONDS = 3.0
_AGAIN_SECONDS = 0.5
"""An interrupt is repeated: `os.system` and its like pass the first one on to what they wait for."""
_START_SECONDS = 60.0
_REPLY_LIMIT_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 65_536
_TICK_MILLISECONDS = 100


class _Gone(Exception):
    pass


class Output:
    """The first and the last half of a limit of what was printed."""

    def __init__(self) -> None:
        self.head, self.tail, self.seen = bytearray(), bytearray(), 0

    def add(self, chunk: bytes) -> None:
        half = OUTPUT_LIMIT_BYTES // 2
        self.seen += len(chunk)
        room = half - len(self.head)
        self.head += chunk[:room]
        self.tail += chunk[max(room, 0) :]
        if len(self.tail) > half + _CHUNK_BYTES:
            del self.tail[:-half]

    def text(self) -> str:
        half = OUTPUT_LIMIT_BYTES // 2
        left_out = self.seen - len(self.head) - min(len(self.tail), half)
        if left_out <= 0:
            return (self.head + self.tail).decode(errors="replace")
        end = self.tail[-half:].decode(errors="replace")
        return f"{self.head.decode(errors='replace')}\n[... {left_out} bytes left out ...]\n{end}"


class Interpreter:
    """The process that runs the code, and the pipes to it."""

    def __init__(self, source: str) -> None:
        theirs_in, self.requests = os.pipe()
        self.replies, theirs_out = os.pipe()
        self.printed, print_to = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.setpgid(0, 0)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(print_to, 1)
            os.dup2(print_to, 2)
            for descriptor in (theirs_in, theirs_out):
                os.set_inheritable(descriptor, True)
            try:
                os.execvp("python3", ["python3", "-c", source, str(theirs_in), str(theirs_out)])  # noqa: S606
            finally:
                os._exit(127)
        for descriptor in (theirs_in, theirs_out, print_to):
            os.close(descriptor)
        os.set_blocking(self.printed, False)
        self._replied = bytearray()

    def signal(self, number: int) -> None:
        with suppress(OSError):
            os.killpg(self.pid, number)

    def lines(self) -> list[bytes]:
        """The whole lines that it has answered by now. Raises `_Gone` at its end."""
        chunk = os.read(self.replies, _CHUNK_BYTES)
        self._replied += chunk
        if not chunk or len(self._replied) > _REPLY_LIMIT_BYTES:
            raise _Gone
        *lines, self._replied = self._replied.split(b"\n")
        return [bytes(line) for line in lines]

    def check(self) -> None:
        """Raises `_Gone` when it has ended, whoever else still holds its pipes."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            raise _Gone(_ending(status))

    def gather(self, output: Output) -> None:
        """What it has printed by now."""
        with suppress(BlockingIOError):
            while chunk := os.read(self.printed, _CHUNK_BYTES):
                output.add(chunk)
                if output.seen > FLOOD_BYTES:
                    return


def main() -> None:
    # Else the interpreter, which has the same id, could reach these streams by way of /proc.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interpreter = Interpreter(sys.argv[1])
    output = Output()
    with suppress(_Gone):
        _wait(interpreter, output, "ready", _START_SECONDS)
        for line in sys.stdin:
            request = json.loads(line)
            answer = _run(interpreter, output, request)
            _answer({**answer, "id": request["id"], "output": output.text()})
            output = Output()
    interpreter.signal(signal.SIGKILL)


def _run(interpreter: Interpreter, output: Output, request: dict[str, Any]) -> dict[str, Any]:
    try:
        content = (json.dumps({"id": request["id"], "code": request["code"]}) + "\n").encode()
        while content:
            content = content[os.write(interpreter.requests, content) :]
        return _wait(interpreter, output, request["id"], request["seconds"])
    except (_Gone, BrokenPipeError) as gone:
        interpreter.gather(output)
        how = str(gone.args[0]) if isinstance(gone, _Gone) and gone.args else _how_it_ended(interpreter)
        _answer({"state": "died", "how": how, "id": request["id"], "output": output.text()})
        interpreter.signal(signal.SIGKILL)
        os._exit(0)


def _wait(interpreter: Interpreter, output: Output, word: str, seconds: float) -> dict[str, Any]:
    """The interpreter's reply that carries `word`. Past its time it is interrupted, and killed if that is no help."""
    poll = select.poll()
    poll.register(interpreter.replies, select.POLLIN)
    poll.register(interpreter.printed, select.POLLIN)
    deadline, killed_at, interrupted = time.monotonic() + seconds, float("inf"), ""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or (output.seen > FLOOD_BYTES and not interrupted):
            if time.monotonic() >= killed_at:
                interpreter.signal(signal.SIGKILL)
                raise _Gone(f"{interrupted} limit")
            if not interrupted:
                interrupted = "time" if left <= 0 else "flood"
                killed_at = time.monotonic() + GRACE_SECONDS
            interpreter.signal(signal.SIGINT)
            deadline = time.monotonic() + _AGAIN_SECONDS
            continue
        ready = dict(poll.poll(min(left * 1000, _TICK_MILLISECONDS)))
        if interpreter.printed in ready:
            before = output.seen
            interpreter.gather(output)
            if output.seen == before:
                # Everybody closed it: it is ready for ever, and has nothing to say.
                poll.unregister(interpreter.printed)
        if interpreter.replies in ready:
            # Code that writes to every descriptor it can name may have put its own lines between.
            for reply in filter(None, (_reply(line, word) for line in interpreter.lines())):
                interpreter.gather(output)
                return {**reply, "state": "interrupted" if interrupted else "done", "why": interrupted}
        elif not ready:
            interpreter.check()


def _reply(line: bytes, word: str) -> dict[str, Any] | None:
    try:
        reply = json.loads(line)
    except ValueError:
        return None
    return reply if isinstance(reply, dict) and reply.get("id") == word else None


def _how_it_ended(interpreter: Interpreter) -> str:
    interpreter.signal(signal.SIGKILL)
    with suppress(ChildProcessError):
        return _ending(os.waitpid(interpreter.pid, 0)[1])
    return "it closed its connection"


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _answer(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
