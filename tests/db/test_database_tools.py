"""SQL that an agent runs sees what its owner sees, and leaves nothing behind; whatever is in the statement."""

from __future__ import annotations

import json
import threading
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.db import runs
from tests.db.control import decide
from tests.db.impersonation import DENIED, LEASE_LOST, NOT_FOUND, many, one, refused, value
from tests.db.sql_by_agents import CANARY, Field, leave_a_secret, left_behind, prepare, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Database
    from tests.db.impersonation import Connection

SYNTAX, UNSUPPORTED, CANCELLED = "42601", "0A000", "57014"


@pytest.fixture
def field(each_database: Database) -> Iterator[Field]:
    """On Postgres 18, 16 and 15."""
    yield from _field(each_database)


@pytest.fixture
def field18(database18: Database) -> Iterator[Field]:
    """On Postgres 18 alone."""
    yield from _field(database18)


def _field(database: Database) -> Iterator[Field]:
    with psycopg.connect(database.superuser, autocommit=True, row_factory=dict_row) as superuser:
        leave_a_secret(superuser)
    with (
        psycopg.connect(database.owner, autocommit=True, row_factory=dict_row) as owner,
        psycopg.connect(database.worker, autocommit=True, row_factory=dict_row) as worker,
    ):
        yield prepare(owner, worker)


# Each is a statement and the SQLSTATE that it must end with; None: it may answer, with nobody else's rows.
READS: list[tuple[str, str | None]] = [
    # Everything there is, in each way of asking.
    ("table public.messages", None),
    ("select * from users where true or email is not null", None),
    ("select * from public.notes", None),
    ("select * from public.notes where user_id <> auth.uid()", None),
    ("with recursive all_of (id) as (select id from notes union select id + 1 from all_of where id < 9)"
     " select * from all_of join notes using (id)", None),
    ("select * from public.tasks tablesample bernoulli (100)", None),
    ("select * from public.conversation_details", None),
    ("select auth.jwt(), auth.uid(), auth.role(), current_user, session_user", None),
    # Somebody else's claims, in each place that is evaluated before or beside the policy.
    *((f.replace("FORGE", "set_config('request.jwt.claims', '{\"sub\": \"BOB\"}', true)"), DENIED) for f in (
        "select FORGE, n.* from notes n",
        "with forged as materialized (select FORGE) select n.* from forged, notes n",
        "select n.* from notes n, lateral (select FORGE) f",
        "select n.* from (values (FORGE)) f, notes n",
        "select * from notes where FORGE is not null",
        "select * from notes order by FORGE",
        "select * from notes limit length(FORGE)",
        "select * from notes offset length(FORGE) - length(FORGE)",
        "select * from rows from (lower('x'), generate_series(1, length(FORGE))) f, notes",
        "select sum(1) over (order by id rows between length(FORGE) preceding and current row) from notes",
        "select array_agg(body) filter (where FORGE is not null) from notes",
        "select case when FORGE is null then 1 end, exists (select from notes)",
        "select * from notes where id = any (array[length(FORGE), 1, 2, 3, 4, 5, 6])",
        "select string_agg(body, FORGE) from notes group by grouping sets ((id), ())",
        "select jsonb_path_query(to_jsonb(FORGE), '$'), body from notes",
    )),
    ("select \"pg_catalog\".\"set_config\"('request.jwt.claim.sub', 'BOB', true)", DENIED),
    ("select U&\"\\0073et_config\"('request.jwt.claim.sub', 'BOB', true)", DENIED),
    ("select set_config/**/('role', 'none', true)", DENIED),
    ("select set_config('role', 'agent_worker', false)", DENIED),
    ("select set_config('session_authorization', 'postgres', false)", DENIED),
    ("select set_config('transaction_read_only', 'off', true)", DENIED),
    # SQL inside a text.
    ("select query_to_xml('select set_config(''request.jwt.claim.sub'', ''BOB'', true)', true, true, ''),"
     " n.* from notes n", DENIED),
    ("select query_to_xml('reset role', true, true, '')", DENIED),
    ("select query_to_xmlschema('select 1', true, true, ''),"
     " query_to_xml_and_xmlschema('select 1', true, true, '')", DENIED),
    ("select cursor_to_xml('c', 1, true, true, '')", DENIED),
    ("select table_to_xml('pg_catalog.pg_db_role_setting', true, true, '')", DENIED),
    ("select schema_to_xml('private', true, true, ''), database_to_xml(true, true, '')", DENIED),
    ("select * from ts_stat('select to_tsvector(body) from public.notes')", DENIED),
    ("select ts_rewrite('a'::tsquery, 'select ''a''::tsquery, ''b''::tsquery')", DENIED),
    ("select public.run('reset role')", DENIED),
    ("select public.run('select set_config(''request.jwt.claim.sub'', ''BOB'', true)')", DENIED),
    # More than one statement, and what is none that reads.
    ("select 1; select 2", SYNTAX),
    ("select 1; reset role; select * from public.users", SYNTAX),
    ("select 1; end; drop table public.notes", SYNTAX),
    ("commit; select * from public.users", SYNTAX),
    ("select 1 /* ; */ ; -- \n; rollback", SYNTAX),
    ("select $$; commit $$ ; begin", SYNTAX),
    ("select 1\\; select 2", SYNTAX),
    ("reset role", SYNTAX),
    ("set role none", SYNTAX),
    ("set session authorization default", SYNTAX),
    ("set request.jwt.claims = '{}'", SYNTAX),
    ("do $$ begin execute 'reset role'; end $$", SYNTAX),
    ("call public.run('x')", SYNTAX),
    ("copy public.users to stdout", SYNTAX),
    ("copy (select 1) to program 'id'", SYNTAX),
    ("prepare stolen as select 1", SYNTAX),
    ("execute stolen", UNSUPPORTED),
    ("declare stolen cursor with hold for select 1", UNSUPPORTED),
    ("fetch all from stolen", SYNTAX),
    ("listen agent_runtime_pending", SYNTAX),
    ("notify agent_runtime_pending", SYNTAX),
    ("lock table public.tasks", SYNTAX),
    ("truncate public.notes", SYNTAX),
    ("explain analyze select * from public.users", SYNTAX),
    ("analyze select 1", SYNTAX),
    ("verbose select 1", SYNTAX),
    ("(analyze) delete from public.notes", SYNTAX),
    ("show all", SYNTAX),
    ("discard all", SYNTAX),
    ("load 'auto_explain'", SYNTAX),
    ("create temp table users as select 1", UNSUPPORTED),
    ("select * into temp users from public.notes", SYNTAX),
    ("create function pg_temp.steal() returns text language sql as 'select 1'", SYNTAX),
    ("create function public.me() returns void language sql begin atomic select 1; end", SYNTAX),
    ("create operator public.= (leftarg = text, rightarg = text, function = public.shout)", SYNTAX),
    ("alter role agent_query superuser", SYNTAX),
    ("grant all on public.notes to public", SYNTAX),
    ("", SYNTAX),
    (";", SYNTAX),
    ("-- nothing", SYNTAX),
    ("select $1", "42P02"),
    # Changes.
    ("delete from public.notes", UNSUPPORTED),
    ("insert into public.notes (user_id, body) values (auth.uid(), 'x') returning *", UNSUPPORTED),
    ("with gone as (delete from public.notes returning *) select * from gone", UNSUPPORTED),
    ("update pg_settings set setting = 'off' where name = 'row_security'", UNSUPPORTED),
    ("select * from public.tasks for update", "25006"),
    ("select nextval('public.notes_id_seq')", DENIED),
    ("select setval('public.notes_id_seq', 1)", DENIED),
    ("select pg_notify('agent_runtime_pending', 'x')", DENIED),
    ("select lo_from_bytea(0, 'x')", DENIED),
    ("select lo_get(1), lo_open(1, 131072), loread(0, 10)", DENIED),
    # The runtime's functions.
    ("select public.worker_claim('BOB', 100, 60)", DENIED),
    ("select public.worker_context('TASK', null)", DENIED),
    ("select public.worker_query('TASK', null, 'select 1')", DENIED),
    ("select public.decide_execution(gen_random_uuid(), true)", DENIED),
    ("select * from public.submit_task('more')", DENIED),
    ("select public.cancel_task('TASK')", DENIED),
    ("select private.me(), private.my_tenant()", DENIED),
    ("select private.run_query('select 1', 1, 1, null)", DENIED),
    ("select private.may_upload('x')", DENIED),
    ("select * from private.acting", DENIED),
    ("select * from private.executed_statements", DENIED),
    ("select * from auth.users", DENIED),
    # What the server tells.
    ("select * from pg_stat_activity", DENIED),
    ("select query from pg_stat_get_activity(null)", DENIED),
    ("select * from pg_stats", DENIED),
    ("select * from pg_statistic", DENIED),
    ("select n_live_tup from pg_stat_user_tables", DENIED),
    ("select reltuples from pg_class", DENIED),
    ("select * from pg_authid", DENIED),
    ("select rolpassword, rolconfig from pg_roles", DENIED),
    ("select * from pg_shadow", DENIED),
    ("select * from pg_db_role_setting", DENIED),
    ("select * from pg_settings", DENIED),
    ("select * from pg_show_all_settings()", DENIED),
    ("select current_setting('app.settings.jwt_secret')", DENIED),
    ("select current_setting('request.jwt.claims', true)", DENIED),
    ("select prosrc, prosqlbody from pg_proc", DENIED),
    ("select pg_get_functiondef('public.tell(text, text)'::regprocedure)", DENIED),
    ("select pg_get_function_arguments('public.tell(text, text)'::regprocedure)", DENIED),
    ("select tgargs from pg_trigger", DENIED),
    ("select action_statement from information_schema.triggers", DENIED),
    ("select routine_definition from information_schema.routines", DENIED),
    ("select parameter_default from information_schema.parameters", DENIED),
    ("select * from pg_prepared_statements, pg_cursors", DENIED),
    ("select * from pg_locks", DENIED),
    ("select pg_read_file('PG_VERSION'), pg_ls_dir('.')", DENIED),
    ("select * from pg_hba_file_rules, pg_file_settings", DENIED),
    ("select * from pg_largeobject", DENIED),
    ("select pg_backend_pid(), pg_terminate_backend(1), pg_cancel_backend(1)", DENIED),
    ("select pg_current_xact_id(), txid_status(1)", DENIED),
    ("select pg_advisory_lock(1), pg_try_advisory_lock(2), pg_advisory_xact_lock(3)", DENIED),
    ("select pg_sleep(60)", DENIED),
    ("select pg_sleep_until('infinity')", DENIED),
    ("select setseed(0.5)", DENIED),
    # Errors that say what they were about.
    ("select email::integer from public.users", "22P02"),
    ("select * from public.users where email::integer = 1", "22P02"),
    ("select 1 / (case when email like '%canary%' then 0 else 1 end) from public.users", None),
    ("select * from public.users where 1 / (case when email like '%canary%' then 0 else 1 end) = 1", None),
    ("select * from public.notes where shout(body)::xml is not null and body like '%canary%'", None),
    ("select count(*) / (select count(*) from public.notes where body like '%canary%') from public.tasks", "22012"),
    ("select * from notes a join notes b on a.body < b.body and (b.body || 'x')::int > 0", "22P02"),
]  # fmt: skip


def test_no_statement_reads_what_is_somebody_elses_or_leaves_anything(field: Field) -> None:
    before = left_behind(field)
    assert before["role"] == before["login"] == "agent_worker"
    wrong = []
    for template, expected in READS:
        statement = template.replace("BOB", str(field.bob)).replace("TASK", str(field.prey["id"]))
        answer = field.query(statement)
        if answer.get("sqlstate") != expected or CANARY in json.dumps(answer):
            wrong.append((statement, expected, answer))
    assert wrong == [], "\n".join(map(str, wrong))
    assert left_behind(field) == before
    assert value(field.owner, "select count(*) from public.notes") == 6


def test_of_every_table_and_view_it_reads_no_foreign_row(field: Field) -> None:
    shown: set[str] = set()
    hidden: set[str] = set()
    for table in tables(field.owner):
        answer = field.query(f"select * from {table['name']}")
        text = json.dumps(answer)
        assert CANARY not in text, table
        if table["schema"] == "public" and table["kind"] in "rvpm":
            assert str(field.prey["tenant_id"]) not in text, table
            assert str(field.bob) not in text, table
            holds = value(field.owner, f"select count(*) from {table['name']} t where strpos(t::text, '{CANARY}') > 0")
            (shown if answer.get("rows") else hidden).add(table["name"])
            if holds:
                # Bob is there to be found, and a query of his own finds him.
                assert value(field.owner, f"select count(*) from {table['name']}") > answer.get("row_count", 0)
    own = {"conversations", "messages", "notes", "task_events", "tasks", "tenants", "users", "conversation_details"}
    assert {f"public.{name}" for name in own} <= shown
    assert {"public.audit_logs", "public.workers", "public.notes_log"} <= hidden


def test_it_answers_as_its_owner_would_be_answered(field18: Field) -> None:
    assert field18.query("select body, count(*) as n from notes group by body;") == {
        "columns": ["body", "n"], "rows": [["hers", 3]], "cut": None, "row_count": 1
    }  # fmt: skip
    assert field18.query("select id, id from users")["rows"] == [[str(field18.ana)] * 2]
    assert field18.query("select shout('a'), 'NaN'::float8, 1.5, array[1], null, true -- ;")["rows"] == [
        ["A", "NaN", 1.5, [1], None, True]
    ]
    names = "select table_name from information_schema.tables where table_schema = 'public' order by 1"
    assert {"notes", "tasks"} <= {name for (name,) in field18.query(names)["rows"]}
    columns = "select column_name from information_schema.columns where table_name = 'notes' order by ordinal_position"
    assert field18.query(columns)["rows"] == [["id"], ["user_id"], ["body"]]
    assert field18.query("select count(*), min(now() - created_at) > '1 day' from tasks")["rows"] == [[1, False]]
    # An admin sees the tenant's, a deactivated user nothing: as everywhere.
    field18.owner.execute("update public.users set is_active = false where id = %s", [field18.ana])
    assert field18.query("select * from tasks")["rows"] == []


def test_every_limit_holds_and_says_so(field18: Field) -> None:
    many_rows = field18.query("select * from generate_series(1, 5000)", rows=7)
    assert (many_rows["cut"], many_rows["row_count"], many_rows["rows"][-1]) == ("rows", 7, [7])
    assert field18.query("select * from generate_series(1, 5000)", rows=10_000)["row_count"] == 1000
    wide = field18.query("select repeat('x', 3000) from generate_series(1, 100)", max_bytes=10_000)
    assert (wide["cut"], wide["row_count"]) == ("bytes", 3)
    long = field18.query("select repeat('é', 5000), to_json(repeat('y', 5000)), array_fill(1, array[5000])")
    ends = "é… [cut: 5000 characters]", "y… [cut: 5000 characters]", "… [cut: 10001 characters]"
    assert all(cell.endswith(end) for cell, end in zip(long["rows"][0], ends, strict=True)), long
    field18.worker.execute("set statement_timeout = '20s'")
    huge = field18.query("select repeat('x', 100000000)")
    assert (huge["cut"], huge["rows"]) == ("bytes", [])
    assert field18.query("select " + "x" * 65_536)["sqlstate"] == "AR006"
    assert field18.query("select " + "(" * 30_000)["sqlstate"] in ("54001", SYNTAX, "53200")
    field18.worker.execute("set statement_timeout = '300ms'")
    for bomb in (
        "select count(*) from generate_series(1, 1000000000000)",
        "select * from generate_series(1, 1000000000000)",
        "with recursive r (n) as (select 1 union all select n + 1 from r) select max(n) from r",
    ):
        answer = field18.query(bomb)
        assert answer.get("sqlstate") == CANCELLED, (bomb, answer)
    field18.worker.execute("reset statement_timeout")
    # Where nobody set a limit, as over REST: the session goes, and the statement with it.
    with pytest.raises(psycopg.errors.TransactionTimeout):
        field18.query("select count(*) from generate_series(1, 1000000000000)", seconds=0)


def test_a_lease_is_renewed_while_a_statement_runs_and_a_lost_one_gives_no_answer(
    field18: Field, database18: Database
) -> None:
    ended: list[Exception] = []

    def run() -> None:
        try:
            field18.query("select count(*) from generate_series(1, 1000000000000)")
        except psycopg.Error as error:
            ended.append(error)

    pid = field18.worker.info.backend_pid
    thread = threading.Thread(target=run)
    thread.start()
    busy = "select count(*) from pg_stat_activity where pid = %s and state = 'active' and backend_xid is not null"
    while not value(field18.owner, busy, pid):
        pass
    field18.owner.execute("set lock_timeout = '5s'")
    renewed = many(
        field18.owner, "select * from public.worker_renew(%s, %s, %s, 60)",
        runs.WORKER, [field18.task["id"]], [field18.task["lease_token"]],
    )  # fmt: skip
    assert len(renewed) == 1
    field18.owner.execute("update public.tasks set lease_token = gen_random_uuid() where id = %s", [field18.task["id"]])
    with psycopg.connect(database18.superuser, autocommit=True) as superuser:
        while not ended:
            superuser.execute("select pg_cancel_backend(%s)", [pid])
            thread.join(0.05)
    thread.join()
    assert isinstance(ended[0], psycopg.Error)
    assert ended[0].sqlstate == LEASE_LOST
    for lease in (field18.task["lease_token"], uuid.uuid4()):
        with refused(LEASE_LOST):
            field18.query("select 1", lease=lease)


CHANGES: list[tuple[str, str]] = [
    ("update public.notes set body = 'x'; delete from public.notes", SYNTAX),
    ("truncate public.notes", SYNTAX),
    ("drop table public.notes", SYNTAX),
    ("do $$ begin delete from public.notes; end $$", SYNTAX),
    ("call public.run('x')", SYNTAX),
    ("set role none", SYNTAX),
    ("copy public.notes from stdin", SYNTAX),
    ("grant all on public.notes to public", SYNTAX),
    ("explain analyze delete from public.notes", SYNTAX),
    ("analyze delete from public.notes", SYNTAX),
    ("create table public.more as select 1", UNSUPPORTED),
    ("refresh materialized view public.x", UNSUPPORTED),
    ("select * from public.notes", UNSUPPORTED),
    ("with gone as (delete from public.notes returning *)"
     " insert into public.notes_log select id, 'x' from gone", UNSUPPORTED),
    ("insert into public.notes (user_id, body) values ('BOB', 'forged')", DENIED),
    ("update public.notes set user_id = 'BOB'", DENIED),
    ("update public.notes set body = set_config('request.jwt.claim.sub', 'BOB', true)", DENIED),
    ("update public.notes set body = query_to_xml('select 1', true, true, '')::text", DENIED),
    ("update public.notes set body = (select (public.decide_execution('EXECUTION', true)).status)", DENIED),
    ("insert into public.notes_log select 1, (public.cancel_task('TASK')).status", DENIED),
    ("update public.notes set body = public.run('reset role')", DENIED),
    ("delete from public.notes where pg_notify('agent_runtime_pending', '') is null", DENIED),
    ("delete from public.notes where pg_advisory_lock(1) is null", DENIED),
    # Who may do what, and what was said and done, is not an agent's to change.
    ("update public.agents set standing_permissions = '{shell_exec}'", DENIED),
    ("insert into public.agents (name, system_prompt, model_name) values ('x', 'x', 'default')", DENIED),
    ("update public.users set full_name = 'x'", DENIED),
    ("insert into public.messages (conversation_id, role, content)"
     " select id, 'user', 'yes' from public.conversations", DENIED),
    ("insert into public.files (task_id, filename, file_path) select id, 'x', 'x' from public.tasks", DENIED),
    ("insert into public.execution_decisions (execution_id, user_id, tenant_id, verdict, input_digest)"
     " select 'EXECUTION', id, tenant_id, 'approved', 'x' from public.users", DENIED),
    ("update public.tools set is_enabled = true", DENIED),
    ("update public.tool_executions set status = 'pending'", DENIED),
    ("delete from public.audit_logs", DENIED),
    ("update public.tasks set tainted = not tainted", DENIED),
    ("update public.tasks set user_id = 'BOB'", DENIED),
    ("delete from auth.users", DENIED),
    ("insert into private.acting select '1', 'BOB', 'TASK'", DENIED),
    ("update pg_settings set setting = 'off'", DENIED),
    ("insert into pg_catalog.pg_db_role_setting values (0, 0, null)", DENIED),
]  # fmt: skip


def test_no_change_reaches_what_is_somebody_elses(field: Field) -> None:
    before = left_behind(field)
    wrong = []
    for template, expected in CHANGES:
        statement = template.replace("BOB", str(field.bob)).replace("TASK", str(field.prey["id"]))
        answer = field.execute(statement.replace("EXECUTION", str(uuid.uuid4())))
        if answer.get("sqlstate") != expected or CANARY in json.dumps(answer):
            wrong.append((statement, expected, answer))
    assert wrong == [], "\n".join(map(str, wrong))
    for statement in (
        "update public.notes set body = 'mine' where true",
        "update public.notes n set body = 'mine' from public.notes o returning o.body",
        "merge into public.notes n using (select 1) s on n.body is not null when matched then update set body = 'mine'",
        "delete from public.notes where user_id is not null returning *",
    ):
        answer = field.execute(statement)
        assert answer["row_count"] == 3, answer
        assert CANARY not in json.dumps(answer), answer
    assert field.execute("update public.conversations set title = 'mine'")["row_count"] == 1
    assert field.execute(f"delete from public.notes where user_id = '{field.bob}'")["row_count"] == 0
    assert value(field.owner, "select count(*) from public.notes where body = %s", CANARY) == 3
    assert left_behind(field) == before


def test_a_change_is_made_as_its_owner_and_counted(field: Field) -> None:
    answer = field.execute(
        "insert into public.notes (user_id, body) values (auth.uid(), 'new') returning body, user_id"
    )
    assert answer == {"columns": ["body", "user_id"], "rows": [["new", str(field.ana)]], "cut": None, "row_count": 1}
    # What is deferred to the end of the transaction still knows for whom it is.
    assert one(field.owner, "select told_by from public.notes_log where told_by is not null") == {
        "told_by": "agent_query authenticated"
    }
    many_more = "insert into public.notes (user_id, body) select auth.uid(), 'x' from generate_series(1, 20)"
    for statement in (many_more, f"{many_more} returning id"):
        refusal = field.execute(statement, p_at_most=10)
        assert refusal["sqlstate"] == "AR006"
        assert "limit changed_rows reached" in refusal["error"]
        assert value(field.owner, "select count(*) from public.notes") == 7
    counted = field.execute(f"{many_more} returning id", p_rows=5)
    assert (counted["row_count"], len(counted["rows"]), counted["cut"]) == (20, 5, "rows")


def test_what_is_carried_out_is_what_was_approved_and_once(field18: Field) -> None:
    owner, task = field18.owner, field18.task
    owner.execute("update public.agents set tools_enabled = tools_enabled || '{db_execute}' where name = 'Prober'")
    call = runs.tool_call("db_execute", sql="insert into public.notes (user_id, body) values (auth.uid(), 'asked')")
    (execution,) = runs.record_turn(owner, task, 1, call)["executions"]
    assert execution["status"] == "awaiting_approval"
    with refused(NOT_FOUND):
        field18.carry_out(execution["id"])
    edited = "insert into public.notes (user_id, body) values (auth.uid(), 'approved') returning body"
    decide(owner, field18.ana, execution["id"], arguments={"sql": edited})
    with refused(NOT_FOUND):
        field18.carry_out(execution["id"])  # approved, and not started
    runs.start(owner, task, execution["id"])
    first = field18.carry_out(execution["id"])
    assert first["rows"] == [["approved"]]
    assert field18.carry_out(execution["id"]) == first
    assert many(owner, "select body from public.notes where body in ('asked', 'approved')") == [{"body": "approved"}]
    with refused(NOT_FOUND):
        field18.carry_out(uuid.uuid4())
    probe = runs.record_turn(owner, task, 2, runs.tool_call("probe_pure", sql=edited), start=True)["executions"][0][
        "id"
    ]
    with refused(NOT_FOUND):
        field18.carry_out(probe)  # another tool's argument of that name
    # A refusal is an answer, too.
    wrong = field18.recorded("delete from public.notes where 1 / 0 = 1")
    assert field18.carry_out(wrong)["sqlstate"] == "22012"
    assert field18.carry_out(wrong)["sqlstate"] == "22012"


def test_a_worker_that_lost_the_task_changes_nothing(field18: Field, database18: Database) -> None:
    execution = field18.recorded("update public.notes set body = 'late'")
    answers: list[str | None] = []
    with psycopg.connect(database18.owner) as other:
        other.execute("select from public.notes where user_id = %s for update", [field18.ana])

        def run() -> None:
            try:
                field18.carry_out(execution)
            except psycopg.Error as error:
                answers.append(error.sqlstate)

        thread = threading.Thread(target=run)
        thread.start()
        waits = "select count(*) from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
        while not value(field18.owner, waits, field18.worker.info.backend_pid):
            pass
        # The lease is taken over while the change waits for rows that somebody else holds.
        field18.owner.execute(
            "update public.tasks set lease_token = gen_random_uuid() where id = %s", [field18.task["id"]]
        )
    thread.join()
    assert answers == [LEASE_LOST]
    assert value(field18.owner, "select count(*) from public.notes where body = 'late'") == 0
    assert value(field18.owner, "select count(*) from private.executed_statements") == 0


def test_every_table_of_the_runtime_is_one_that_agents_change_or_one_that_they_do_not(connection: Connection) -> None:
    """A new table is closed by name in private.is_changeable(), or open on purpose."""
    changeable = many(
        connection,
        "select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace"
        " and c.relkind in ('r', 'v', 'p', 'm') and private.is_changeable(c)",
    )
    assert {row["name"] for row in changeable} == {"conversations", "tasks"}
