"""What `watch` does while it gets no answer."""

from __future__ import annotations

import asyncio
import io

import pytest
from rich.console import Console

from agent_runtime.cli import watch
from agent_runtime.cli.watch_screen import EventScreen


async def test_a_request_that_is_never_answered_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.0)
    written = io.StringIO()
    asked = 0

    async def ask() -> str:
        nonlocal asked
        asked += 1
        if asked < 3:
            await asyncio.Event().wait()
        return "answered"

    screen = EventScreen(Console(file=written), lambda _: None)
    assert await watch._patiently(screen, ask) == "answered"
    assert asked == 3
    assert written.getvalue() == "Supabase does not answer within 0.05 s; trying again\n"
