"""What a tool is given of its task's children: one question, which makes them and waits for them."""

from __future__ import annotations

from uuid import UUID

from agent_runtime.db.store import Store
from agent_runtime.errors import ChildrenOpen, IllegalTransition, InvalidInput, NotFound, ToolRefused
from agent_runtime.records import Lease
from agent_runtime.toolbox.delegate.children import Standing


class TaskChildren:
    """One call's `Children`."""

    def __init__(self, store: Store, lease: Lease, execution_id: UUID) -> None:
        self._store, self._lease, self._execution_id = store, lease, execution_id

    async def standing(self) -> Standing:
        try:
            answer = await self._store.children(self._lease, self._execution_id)
        except (InvalidInput, NotFound, IllegalTransition) as refusal:
            raise ToolRefused(str(refusal)) from refusal
        if answer["open"]:
            raise ChildrenOpen(f"{answer['open']} tasks are open")
        if answer["brought"]:
            # A run begins with the files that are on record: so the next one has them.
            raise ChildrenOpen("their files have to be fetched")
        return Standing.model_validate(answer)
