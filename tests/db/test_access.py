"""The access matrix by SQL: every cell of sql/access.yaml, and that a leak or a forgotten line is noticed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
from psycopg.rows import dict_row

from agent_runtime.access import trying
from agent_runtime.access.catalog import look
from agent_runtime.access.matrix import load
from agent_runtime.access.page import PAGE, page

if TYPE_CHECKING:
    from tests.conftest import Database
    from tests.db.impersonation import Connection

LEAKS = {
    'alter policy "Users can view own conversations" on public.conversations using (true)': (
        "outsider_user: select conversations by sql: tenants, declared shared"
    ),
    'alter policy "People can view their own, shared and catalogue agents" on public.agents'
    " using (is_public or created_by = (select private.me()))": "viewer: select agents by sql: ",
    'alter policy "Members can view their tenant" on public.tenants using (true)': (
        "deactivated: select tenants by sql: tenants, declared denied"
    ),
    'alter policy "Users can update own profile" on public.users using (true) with check (true)': (
        "viewer: update users by sql: tenants, declared own"
    ),
    'alter policy "Users can create messages in own conversations" on public.messages with check (true)': (
        "outsider_admin: insert messages by sql: tenants, declared own"
    ),
    "grant delete on public.messages to authenticated": (
        "public.messages: delete is granted to authenticated, and no cell needs it"
    ),
    "grant execute on function public.worker_config() to authenticated": (
        "viewer: execute worker_config by sql: yes, declared denied"
    ),
    "grant truncate on public.system_config to service_role": (
        "service_role: truncate system_config by sql: yes, declared denied"
    ),
    "grant usage on sequence public.messages_seq to anon": "anon: update messages_seq by sql: yes, declared denied",
    "create table public.forgotten_table (id integer)": (
        "tables: forgotten_table exists, and the matrix has no line for it"
    ),
    "create view public.forgotten_view as select * from public.messages": (
        "views: forgotten_view exists, and the matrix has no line for it"
    ),
    "create function public.forgotten() returns integer language sql as 'select 1'": (
        "functions: forgotten exists, and the matrix has no line for it"
    ),
    "create function private.open() returns integer language sql as 'select 1'; grant execute on function"
    " private.open() to authenticated": "private_functions: open exists, and the matrix has no line for it",
}
"""What opens or forgets something, and the difference that must be named then."""

WHO = frozenset({"anon", "viewer", "outsider_user", "outsider_admin", "deactivated", "service_role"})


def test_every_cell_is_as_declared(each_database: Database) -> None:
    with psycopg.connect(each_database.owner, autocommit=True, row_factory=dict_row) as connection:
        report = trying.by_sql(connection, load(), blind=True)
    assert report.differences == []
    assert len(report.findings) > 1_500


def test_a_leak_and_a_forgotten_line_are_named(database18: Database) -> None:
    with psycopg.connect(database18.owner, autocommit=True, row_factory=dict_row) as connection:
        for statement in LEAKS:
            connection.execute(statement)
        differences = trying.by_sql(connection, load(), only=WHO, blind=True).differences
    unnoticed = [named for named in LEAKS.values() if not any(named in sentence for sentence in differences)]
    assert unnoticed == [], differences


def test_a_line_for_nothing_is_named(connection: Connection) -> None:
    matrix = load()
    nothing = replace(matrix.thing("tables", "agents"), name="nowhere")
    found = look(connection, replace(matrix, things=(*matrix.things, nothing)))
    assert found.missing == ("tables: nowhere is in the matrix, and does not exist",)


def test_the_page_says_what_the_file_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(load()), "docs/access.md is stale: make access"
