"""A shell on a terminal that stays open while commands are run in it one after the other.

The shell marks each prompt with the exit code of what ended before it (OSC 133, as terminals know it), with a word of
this session's own. So what a program prints by accident is no mark; what it prints on purpose deceives about its own
exit code alone. Output is read all the time, at a measured pace, and rendered when somebody looks.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import secrets
import signal
import termios
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.sandbox.running import COLUMNS, ROWS, Running
from agent_runtime.toolbox.sandbox.streams import CHUNK_BYTES
from agent_runtime.toolbox.terminal.screen import Screen

State = Literal["starting", "idle", "running", "waiting", "ended"]
"""`idle`: the shell waits for a command. `waiting`: a program seems to wait for input. `ended`: the shell is gone."""

UNSEEN_LIMIT_BYTES = 256 * 1024
"""Output that is kept until somebody looks: its first and its last half."""
QUIET_SECONDS = 0.5
"""So long nothing is printed before a last line is taken for a question."""
START_SECONDS = 20.0
WRITE_SECONDS = 10.0
LINE_LIMIT_BYTES = 4_000
"""The kernel's line editing loses what goes beyond 4,095 bytes of one line."""
_PACE_SECONDS = 0.02
_INLINE_BYTES = 32_768
_MARK_LIMIT_BYTES = 64
_GIVE_THE_SCREEN_BACK = "\x1b[?1049l\x1b7\x1b[r\x1b8"
Start = Callable[[list[str], dict[str, str]], Awaitable[Running]]
"""Starts an argument vector with an environment on a terminal."""
_QUESTION = re.compile(r"[:?>\])}$#%»…][ \t\xa0]*\Z")


@dataclass(frozen=True)
class Look:
    """What there was to see. `exit_code` is that of the command that ended last, or of the shell when it has ended."""

    state: State
    text: str
    exit_code: int | None
    is_screen: bool
    """The text is the whole screen of a full-screen program, not what came new."""
    question: str = ""
    """The end of the line in which a program waits."""


class TerminalSession:
    """One shell. Nothing of it is left after `close`."""

    def __init__(self, name: str, running: Running, word: str) -> None:
        self.name = name
        self.command = ""
        """What was run in it last."""
        self.state: State = "starting"
        self._running = running
        self._settings = _without_echo(self.terminal)
        self._screen = Screen(COLUMNS, ROWS)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._mark = re.compile(rb"\x1b\]133;([CD]);(\d*);" + word.encode() + rb"\x07")
        self._head, self._tail, self._left_out = bytearray(), bytearray(), 0
        self._recent = b""
        self._exit_code: int | None = None
        self._begun = False
        self._heard_at = 0.0
        self._changed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @property
    def terminal(self) -> int:
        """The worker's end of the terminal."""
        descriptor = self._running.terminal
        assert descriptor is not None, "a session is started on a terminal"
        return descriptor

    async def run(self, command: str) -> None:
        """Type a command at the prompt. Nothing else may run."""
        await self._catch_up()
        self.command, self._begun, self._exit_code = command, False, None
        self.state = "running"
        # A program that was killed leaves its settings and its screen behind.
        self._screen.feed(_GIVE_THE_SCREEN_BACK)
        with suppress(termios.error):
            termios.tcsetattr(self.terminal, termios.TCSANOW, self._settings)
        await self._write(_as_input(command))

    async def type(self, content: bytes) -> None:
        """Give the program that runs what a person would type. Raises `ToolRefused` when it does not read."""
        with suppress(termios.error):
            if termios.tcgetattr(self.terminal)[3] & termios.ICANON and any(
                len(line) > LINE_LIMIT_BYTES for line in content.split(b"\r")
            ):
                raise ToolRefused(
                    f"a line of input has at most {LINE_LIMIT_BYTES} bytes; write longer text to a file that the "
                    "program reads"
                )
        if self.state == "waiting":
            self.state = "running"
        await self._write(content)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to what runs in the foreground."""
        with suppress(OSError):
            os.killpg(os.tcgetpgrp(self.terminal), number)

    async def settle(self, seconds: float) -> None:
        """Wait until the command has ended, or seems to wait for input, for so long at most."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        asked = False
        while self.state not in ("idle", "ended"):
            self._changed.clear()
            now, quiet_at = loop.time(), self._heard_at + QUIET_SECONDS
            if self.state in ("running", "waiting") and now >= quiet_at and not asked:
                asked = True
                self.state = "waiting" if await self._waits_for_input() else "running"
                if self.state == "waiting":
                    return
                continue
            if now >= deadline:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(deadline, quiet_at) if not asked else deadline):
                    await self._changed.wait()
                    asked = False

    async def look(self) -> Look:
        """What came since the last look."""
        await self._catch_up()
        question = self._screen.line_before_cursor.strip()[-200:] if self.state == "waiting" else ""
        is_screen = self._screen.is_full_screen
        return Look(self.state, self._screen.look(), self._exit_code, is_screen, question)

    async def close(self) -> None:
        """End the shell and everything that it started."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._running.close()
        self.state = "ended"

    # -- what comes from the terminal --------------------------------------------------------------------------------

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        paced_at = CHUNK_BYTES
        while chunk := await self._running.read():
            self._heard_at = loop.time()
            self._keep(chunk)
            self._heed_marks(chunk)
            self._changed.set()
            if self._left_out >= paced_at:
                # Nobody looks, and it goes on: it may, but not at the price of the other tasks.
                paced_at = self._left_out + CHUNK_BYTES
                await asyncio.sleep(_PACE_SECONDS)
        self._exit_code = await self._running.wait()
        self.state = "ended"
        self._changed.set()

    def _keep(self, chunk: bytes) -> None:
        half = UNSEEN_LIMIT_BYTES // 2
        room = half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[max(room, 0) :]
        excess = len(self._tail) - half
        if excess > 0:
            self._left_out += excess
            del self._tail[:excess]

    def _heed_marks(self, chunk: bytes) -> None:
        recent = self._recent + chunk
        end = 0
        for mark in self._mark.finditer(recent):
            end = mark.end()
            if mark[1] == b"C":
                self.state, self._begun = "running", True
            else:
                self.state, self._exit_code = "idle", int(mark[2] or 0)
        self._recent = recent[max(end, len(recent) - _MARK_LIMIT_BYTES) :]

    async def _catch_up(self) -> None:
        """Show on the screen what was read."""
        head, tail, left_out = bytes(self._head), bytes(self._tail), self._left_out
        self._head, self._tail, self._left_out = bytearray(), bytearray(), 0
        text = self._decoder.decode(head)
        if left_out:
            self._decoder.reset()
            text += f"\r\n[... {left_out} bytes left out ...]\r\n"
        text += self._decoder.decode(tail)
        if len(text) > _INLINE_BYTES:
            await asyncio.to_thread(self._screen.feed, text)
        else:
            self._screen.feed(text)

    async def _waits_for_input(self) -> bool:
        """Whether it looks so: a program took over the keyboard, turned echo off, or left its line like a question."""
        if not self._begun:
            return False
        await self._catch_up()
        try:
            flags = termios.tcgetattr(self.terminal)[3]
        except termios.error:
            return False
        if not flags & termios.ICANON or not flags & termios.ECHO:
            return True
        return _QUESTION.search(self._screen.line_before_cursor) is not None

    async def _write(self, content: bytes) -> None:
        # What it says to this is waited for, as after an output.
        self._heard_at = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._running.write(content)
        except (TimeoutError, BrokenPipeError):
            raise ToolRefused(f"what runs in session {self.name!r} does not read its input") from None


async def open_session(name: str, sandbox_start: Start, environment: dict[str, str]) -> TerminalSession:
    """A new shell, at its first prompt. Raises `ToolRefused` when it does not come up."""
    word = secrets.token_hex(8)
    running = await sandbox_start(
        # History expansion would change commands that hold a `!`.
        ["bash", "--noprofile", "--norc", "--noediting", "+H", "-i"],
        {
            **environment,
            "TERM": "xterm",
            "PAGER": "cat",
            "HISTSIZE": "0",
            # Commands are typed without echo; programs are to find it on.
            "PS0": f"$(stty echo 2>/dev/null)\\e]133;C;;{word}\\a",
            "PS1": f"\\e]133;D;$?;{word}\\a",
            "PS2": "",
        },
    )
    session = TerminalSession(name, running, word)
    try:
        await session.settle(START_SECONDS)
        if session.state != "idle":
            seen = (await session.look()).text.strip().splitlines()
            why = f": {seen[-1]}" if seen else f" within {START_SECONDS:g} seconds"
            raise ToolRefused(f"the shell of session {name!r} did not start{why}; run the command without a session")
        await session.look()
    except BaseException:
        await session.close()
        raise
    return session


def _without_echo(terminal: int) -> list[Any]:
    settings = termios.tcgetattr(terminal)
    settings[3] &= ~termios.ECHO
    return settings


def _as_input(command: str) -> bytes:
    """The command as printable ASCII in short lines: neither line editing nor the kernel's limit touches it."""
    pieces = [
        chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\{byte:03o}" for byte in command.encode("utf-8")
    ]
    lines, line = [], ""
    for piece in pieces:
        line += piece
        if len(line) >= LINE_LIMIT_BYTES - 100:
            lines.append(line)
            line = ""
    quoted = "\\\r".join(f"$'{part}'" for part in [*lines, line])
    return f"eval {quoted}\r".encode()
