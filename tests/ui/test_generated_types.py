"""The web UI's types say what the database and the event union say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts import ui_types

if TYPE_CHECKING:
    from tests.conftest import Database


@pytest.fixture
def generated(database18: Database) -> dict[str, str]:
    return ui_types.generated(database18.owner)


def test_the_types_are_those_of_the_database_and_of_the_events(generated: dict[str, str]) -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in ui_types.FOLDER.glob("*.ts")}
    behind = [name for name in generated.keys() | committed.keys() if generated.get(name) != committed.get(name)]
    assert not behind, "sql/ or agent_runtime/events.py changed: make types"


def test_the_types_hold_what_a_person_reaches_and_nothing_besides(generated: dict[str, str]) -> None:
    text = generated["database.ts"]
    for reached in (
        "      tasks: {",
        "      conversation_details: {",
        "      submit_task: {",
        "          status: 'active' |",
    ):
        assert reached in text
    for hidden in ("worker_claim", "vault_rewrap", "sync_tools", "sealed_credentials", "audit_heads"):
        assert hidden not in text
