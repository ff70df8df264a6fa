"""What a start imports: each thing that it does without is time that everybody waits."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["agent_runtime.loop", "agent_runtime.web.app", "agent_runtime.llm.scripted.server"])
def test_what_serves_starts_without_rich(module: str) -> None:
    look = f"import sys, {module}; print(*{{'rich', 'pygments'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_rich_can_be_imported_after_all() -> None:
    look = "from agent_runtime.structlog_alone import structlog; import rich.console; structlog.get_logger()"
    subprocess.run([sys.executable, "-c", look], check=True)
