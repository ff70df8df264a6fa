"""A caller of rows without a database, in the sandbox of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from agent_runtime.toolbox.sandbox.choice import Sandbox, choose_sandbox
from tests.connect.rows import Caller


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return choose_sandbox(allow_unsandboxed=False)


@pytest_asyncio.fixture
async def caller(tmp_path: Path, sandbox: Sandbox) -> AsyncIterator[Caller]:
    made = Caller(tmp_path / "workspace", sandbox)
    yield made
    await made.sessions.close_all()
