"""What the schema document declares is there, table by table, but for the mends that docs/schema.md lists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from tests.db import runs
from tests.db.catalog import TABLES, columns, declared
from tests.db.impersonation import value
from tests.db.mends import MENDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cluster
    from tests.db.impersonation import Connection

DOCUMENT = Path(__file__).with_name("schema_document.sql")
DOCS = Path(__file__).parents[2] / "docs" / "schema.md"

ADDED_COLUMNS = {
    "users": "tenant_id home_tenant_id deactivated_by_admin owner_hints is_operator",
    "agents": "tenant_id standing_permissions outward_permissions",
    "conversations": "tenant_id is_shared",
    "messages": "tenant_id task_id seq owner_id",
    "tasks": "tenant_id user_id agent_id parent_task_id plan run_after attempts max_attempts lease_token"
    " lease_expires_at worker_id wait_reason cancel_requested_at pause_requested_at idempotency_key limits usage"
    " tainted claimed_at active_seconds retries last_release search taint_sources spawn_id"
    " spawn_item result_schema",
    "tools": "tenant_id retry_class taints outward timeout_seconds output_limit_bytes prompt_injection response_guide"
    " config approvals_required destination",
    "tool_executions": "tenant_id tool_call_id step call_index input_digest approval_expires_at decided_by decided_at"
    " decision_reason approvals_needed approval_used_at original_parameters owner_id gate",
    "execution_decisions": "id execution_id user_id tenant_id verdict input_digest reason created_at",
    "files": "tenant_id execution_id version kind is_executable link_target is_stored owner_id",
    "system_config": "",
    "audit_logs": "tenant_id actor prev_hash hash chain_seq",
    "invitations": "id tenant_id email role invited_by status created_at expires_at decided_at accepted_by",
    "tenants": "id slug name settings created_at updated_at",
    "task_events": "id task_id kind payload created_at tenant_id owner_id",
    "credentials": "id tenant_id user_id name category scope key_id created_by created_at updated_at last_used_at",
    "workers": "id host pid version capacity started_at heartbeat_at stopped_at transport last_tenant health health_at",
}


@pytest.fixture(scope="module")
def document(shared_cluster: Cluster) -> Iterator[Connection]:
    """A database with what the document says and nothing of ours."""
    cluster = shared_cluster.postgres.superuser_conninfo
    name = "document"
    with psycopg.connect(cluster, autocommit=True) as superuser:
        superuser.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    with psycopg.connect(shared_cluster.database(name).superuser, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("create schema auth")
        connection.execute("create function auth.uid() returns uuid language sql as 'select null::uuid'")
        connection.execute(DOCUMENT.read_text(encoding="utf-8"))
        yield connection
    with psycopg.connect(cluster, autocommit=True) as superuser:
        superuser.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def theirs(document: Connection) -> set[str]:
    return declared(document)


@pytest.fixture(scope="module")
def ours(shared_connection: Connection) -> set[str]:
    return declared(shared_connection)


def is_mended(fact: str) -> bool:
    return any(re.fullmatch(pattern, fact, re.DOTALL) for patterns in MENDS.values() for pattern in patterns)


@pytest.mark.parametrize("table", [*TABLES, "view", "function", ""])
def test_everything_that_the_document_declares_is_there_or_mended(theirs: set[str], ours: set[str], table: str) -> None:
    def concerns(fact: str) -> bool:
        about = re.match(r"CREATE .* ON (\w+) |(\w+)", fact)
        assert about
        named = about.group(1) or about.group(2)
        return named == table if table else named not in (*TABLES, "view", "function")

    declared_facts = {fact for fact in theirs if concerns(fact)}
    assert len(declared_facts) > 10 or table in ("function", "")
    missing = {fact for fact in declared_facts - ours if not is_mended(fact)}
    assert missing == set()


def test_the_comparison_misses_no_kind_of_thing(theirs: set[str]) -> None:
    for kind, count in (
        (r"\w+\.\w+ is (?!never).*", 113), (r".* defaults to .*", 53), (r".* PRIMARY KEY .*", 10),
        (r".* has UNIQUE .*", 4),
        (r".* has CHECK .*", 10), (r".* FOREIGN KEY .*", 13), (r"CREATE INDEX .*", 39), (r"CREATE TRIGGER .*", 6),
        (r".* has the policy .*", 8), (r".* has row-level security", 3), (r"view .*", 20), (r"function .*", 1),
        (r"system_config has \w+ = .*", 7), (r"tools has \w+: named .*", 5), (r"agents has [\w ]+: with .*", 5),
    ):  # fmt: skip
        assert (kind, sum(bool(re.fullmatch(kind, fact, re.DOTALL)) for fact in theirs)) == (kind, count)


@pytest.mark.parametrize("mend", [mend for mend, patterns in MENDS.items() if patterns])
def test_each_mend_mends_something(theirs: set[str], ours: set[str], mend: str) -> None:
    for pattern in MENDS[mend]:
        assert [fact for fact in theirs - ours if re.fullmatch(pattern, fact, re.DOTALL)], pattern


def test_the_mends_are_those_that_the_documentation_lists() -> None:
    _, list_of_mends = DOCS.read_text(encoding="utf-8").split("| The schema document | Here, and why |\n|---|---|\n")
    rows = list_of_mends.split("\n\n", 1)[0].splitlines()
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == list(MENDS)
    assert all(len(row.split(" | ")) == 2 for row in rows)


def test_what_was_added_is_declared_and_documented(document: Connection, shared_connection: Connection) -> None:
    added = {f"{table}.{column}" for table, names in ADDED_COLUMNS.items() for column in names.split()}
    assert columns(shared_connection) - columns(document) == added
    text = DOCS.read_text(encoding="utf-8")
    for name in added:
        table, column = name.split(".")
        assert f"`{table}`" in text
        assert f"`{column}`" in text, name


def test_text_is_found_in_spanish_and_in_english(ours: set[str]) -> None:
    for language in ("spanish", "english"):
        assert sum(f"USING gin (to_tsvector('{language}'::regconfig" in fact for fact in ours) == 2


def test_the_words_of_tasks_are_found_in_spanish_and_in_english(connection: Connection) -> None:
    runs.install_probes(connection)
    alice = runs.sign_up(connection, "alice@example.org")
    runs.submit(connection, alice, "Compare the bicycles and write a summary", title="Los alquileres de bicicletas")
    find = "select count(*) from public.tasks where search @@ plainto_tsquery(%s, %s)"
    assert value(connection, find, "english", "summaries") == 1
    assert value(connection, find, "spanish", "alquileres") == 1
    connection.execute("update public.tasks set title = 'Otra cosa'")
    assert value(connection, find, "spanish", "alquileres") == 0


def test_the_agents_prompt_is_the_documents_and_more(theirs: set[str], ours: set[str]) -> None:
    (prompt,) = (fact for fact in theirs if "prompted by" in fact)
    assert prompt in ours
