"""A watch goes on when the API has been away: on a stack of its own, which nothing else has used or stopped before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent_runtime.local.stack import Stack
from agent_runtime.person.client import Person
from tests.e2e.desk import new_person, take, worker_connection
from tests.e2e.test_person import shown, watching

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_watch_outlives_the_api(open_folder: Path) -> None:
    async with (
        Stack(open_folder / "stack-of-a-watch", look_for_ollama=False, durable=False) as stack,
        Person(await new_person(stack), keep=False) as you,
        await worker_connection(stack) as worker,
    ):
        task = await you.submit("Go on")
        watch, written = watching(you, task.id, terminal=False)
        await shown(written, "Task: Go on")
        await stack.api.stop()
        await shown(written, "trying again")
        work = await take(worker, task.id)
        await work.do("message_notify", effect={"kind": "notify", "text": "while you were away"})
        await stack.api.start()
        await shown(written, "while you were away")
        await work.settle(answer="Done.")
        assert (await watch).status == "completed"
        assert written.getvalue().count("trying again") == 1
        assert "answering again" in written.getvalue()
