"""The fold of the terminal and that of the web UI agree: `ui/src/live/fold.test.ts` holds it against the same cases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.person.records import EventRow
from agent_runtime.person.timeline import Timeline

CASES = json.loads((Path(__file__).parents[1] / "ui" / "timeline_cases.json").read_text(encoding="utf-8"))


def shown(timeline: Timeline) -> dict[str, Any]:
    """A timeline in the words of the cases."""
    return {
        "title": timeline.title,
        "status": timeline.status,
        "wait_reason": timeline.wait_reason,
        "error_message": timeline.error_message,
        "run_after": timeline.run_after,
        "attempts": timeline.attempts,
        "cancel_requested": timeline.cancel_requested,
        "pause_requested": timeline.pause_requested,
        "plan": timeline.plan,
        "current_phase": timeline.current_phase,
        "progress": timeline.progress_percentage,
        "calls": [
            {
                "id": str(call.execution_id),
                "tool": call.tool,
                "step": call.step,
                "call_index": call.call_index,
                "status": call.status,
                "execution_time_ms": call.execution_time_ms,
                "error_message": call.error_message,
                "approvals_needed": call.approvals_needed,
            }
            for call in timeline.calls.values()
        ],
        "files": sorted({file.filename for file in timeline.files}),
        "notices": timeline.notices,
        "messages": [[str(said.message_id), said.role] for said in timeline.said.values()],
    }


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_folds_agree(case: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    timeline = Timeline()
    for number, (kind, payload) in enumerate(case["events"], start=1):
        timeline.apply(EventRow(id=10 * number, kind=kind, payload=payload, created_at=now))
    assert shown(timeline) == case["expected"]
