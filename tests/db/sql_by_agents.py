"""Somebody's agent that runs SQL, and somebody else whose rows it is after.

Ana and bob are strangers: a tenant each. Whatever is bob's has CANARY in it, and so have the secrets that lie about in
the catalog.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from tests.db import runs
from tests.db.impersonation import many, one, value

if TYPE_CHECKING:
    from tests.db.impersonation import Connection, Row

CANARY = "canary-7f3a"

# A team's own tables in the same database. Their policies believe the request's claims, as on any Supabase project.
TEAM = f"""
create table public.notes (id bigint generated always as identity primary key, user_id uuid not null, body text);
alter table public.notes enable row level security;
create policy "Own notes" on public.notes to authenticated
  using (user_id = (select auth.uid())) with check (user_id = auth.uid());
grant select, insert, update, delete on public.notes to authenticated;
create table public.notes_log (note_id bigint, told_by text);
create function public.log_note() returns trigger language plpgsql as $$
begin
  insert into public.notes_log values (new.id, current_user || ' ' || (auth.jwt() ->> 'role'));
  return null;
end
$$;
grant insert on public.notes_log to authenticated;
create constraint trigger log_note after insert on public.notes deferrable initially deferred
  for each row execute function public.log_note();
create function public.tell(p_url text, p_secret text default '{CANARY}') returns text language plpgsql as $$
begin
  return p_secret;
end
$$;
create function public.run(p_sql text) returns text language plpgsql as $$
declare
  v_found text;
begin
  execute p_sql into v_found;
  return v_found;
end
$$;
create function public.shout(p_text text) returns text language sql stable as 'select upper($1)';
"""


@dataclass(frozen=True)
class Field:
    """Ana's running task, whose agent runs SQL on the worker's own connection; and bob's everything."""

    owner: Connection
    worker: Connection
    ana: uuid.UUID
    bob: uuid.UUID
    task: Row
    prey: Row
    """Bob's task."""

    def query(
        self, statement: str, *, rows: int = 1000, max_bytes: int = 1_048_576, seconds: int = 10, lease: object = None
    ) -> Row:
        """As the worker calls it for db_query."""
        lease = lease or self.task["lease_token"]
        arguments = self.task["id"], lease, statement, rows, max_bytes, seconds
        found: Row = value(self.worker, "select public.worker_query(%s, %s, %s, %s, %s, %s)", *arguments)
        return found

    def recorded(self, statement: str) -> uuid.UUID:
        """A call of db_execute that runs, needing nobody's approval."""
        found: uuid.UUID = value(
            self.owner,
            "insert into public.tool_executions (task_id, tool_id, message_id, input_parameters, status, started_at,"
            " tool_call_id, step, call_index)"
            " select %s, t.id, (select m.id from public.messages m where m.task_id = %s limit 1), %s, 'running', now(),"
            " gen_random_uuid()::text, 1, 100 + (select count(*) from public.tool_executions) from public.tools t"
            " where t.name = 'db_execute' returning id",
            self.task["id"], self.task["id"], json.dumps({"sql": statement}),
        )  # fmt: skip
        return found

    def carry_out(self, execution: object, **more: Any) -> Row:
        """As the worker calls it for db_execute; `more` are worker_execute's other parameters."""
        named = {"p_task": self.task["id"], "p_lease": self.task["lease_token"], "p_execution": execution} | more
        text = ", ".join(f"{name} => %({name})s" for name in named)
        found = self.worker.execute(f"select public.worker_execute({text}) as result", named).fetchone()
        assert found is not None
        result: Row = found["result"]
        return result

    def execute(self, statement: str, **more: Any) -> Row:
        """A change, on record and carried out."""
        return self.carry_out(self.recorded(statement), **more)


def leave_a_secret(superuser: Connection) -> None:
    """Where older Supabase projects kept the key that signs tokens."""
    name = sql.Identifier(value(superuser, "select current_database()"))
    superuser.execute(sql.SQL("alter database {} set app.settings.jwt_secret = {}").format(name, sql.Literal(CANARY)))


def prepare(owner: Connection, worker: Connection) -> Field:
    """Both sign up, bob fills every table he can, and ana's task is claimed."""
    runs.install_probes(owner)
    runs.register(owner)
    owner.execute(TEAM)
    owner.execute(
        "insert into public.system_config (config_key, config_value, is_sensitive) values ('probe_secret', %s, true)",
        [json.dumps(CANARY)],
    )
    ana = runs.sign_up(owner, "ana@example.org")
    bob = runs.sign_up(owner, f"{CANARY}@example.org", {"full_name": f"Bob {CANARY}"})
    for user, body in ((ana, "hers"), (bob, CANARY)):
        owner.execute("insert into public.notes (user_id, body) select %s, %s from generate_series(1, 3)", [user, body])
    owner.execute(
        "insert into public.agents (name, system_prompt, model_name, tenant_id, created_by)"
        " select %s, %s, 'default', tenant_id, id from public.users where id = %s",
        [f"His {CANARY}", CANARY, bob],
    )
    prey = runs.running(owner, bob, prompt=f"Keep {CANARY} to yourself")
    path = f"{prey['tenant_id']}/{prey['id']}/{CANARY}.md"
    file = {
        "filename": f"{CANARY}.md",
        "file_path": path,
        "file_size": 1,
        "mime_type": "text/plain",
        "file_hash": "0" * 64,
    }
    execution = runs.executed(owner, prey, 1, files=[file], content=CANARY)
    owner.execute(
        "insert into public.execution_decisions (execution_id, user_id, tenant_id, verdict, input_digest, reason)"
        " values (%s, %s, %s, 'approved', '', %s)",
        [execution, bob, prey["tenant_id"], CANARY],
    )
    task = runs.running(owner, ana, prompt="Count my notes")
    return Field(owner, worker, ana, bob, task, prey)


def tables(owner: Connection) -> list[Row]:
    """Every table, view and sequence of the database: `name`, quoted, and `kind`."""
    return many(
        owner,
        "select quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name, c.relkind::text as kind,"
        " n.nspname as schema"
        " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')"
        " and left(n.nspname, 8) not in ('pg_toast', 'pg_temp_') order by 1",
    )


def left_behind(field: Field) -> Row:
    """What a statement could have left in the worker's session or in the database."""
    session = one(
        field.worker,
        "select current_user::text as role, session_user::text as login,"
        " current_setting('transaction_read_only') as read_only,"
        " coalesce(current_setting('request.jwt.claims', true), '') as claims,"
        " coalesce(current_setting('request.jwt.claim.sub', true), '') as claim,"
        " current_setting('search_path') as path, current_setting('transaction_timeout', true) as timeout,"
        " (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks,"
        " (select count(*) from pg_cursors) as cursors",
    )
    database = one(
        field.owner,
        "select (select count(*) from private.acting) as acting,"
        " (select count(*) from pg_depend where refclassid = 'pg_namespace'::regclass"
        "   and refobjid = 'agent_statements'::regnamespace) as parsed,"
        " (select count(*) from pg_class where relowner = 'agent_query'::regrole) as tables,"
        " (select count(*) from pg_proc where proowner = 'agent_query'::regrole) as functions",
    )
    return {**session, **database}
