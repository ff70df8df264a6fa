"""What Supabase's advisors overlook: policies that go round in circles, ways to more rights, doors left open.

Each list names what stands and why; what is new fails until it has a reason.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, get_args

import psycopg
import pytest
from psycopg import sql

from tests.db.impersonation import Role, acting_as, many, one, person, value
from tests.db.people import People, settle_in

if TYPE_CHECKING:
    from tests.db.impersonation import Connection

ROLES: tuple[Role, ...] = get_args(Role)
OURS = "in ('public'::regnamespace, 'private'::regnamespace)"

DEFINERS_OF_PEOPLE = {
    # What people call. Each asks private.me() for whom it acts, and its test is in test_row_level_security.py.
    "answer_task": "appends a message and wakes the task; asks private.ask_of_task or that the task is the caller's",
    "decide_execution": "writes a decision, which nobody may insert; asks who the caller is to the task",
    "settle_execution": "the same for a call in doubt",
    "retry_children": "makes tasks of spawned ones that failed; asks that their parent is the caller's",
    "vault_slot": "says which row of the caller's own a credential has; whose it is follows from who asks",
    "vault_put": "writes a sealed credential, which nobody may insert, into a row of the caller's own",
    "vault_remove": "removes one of the caller's own",
    "runtime_status": "counts what waits and who works, and names nothing; needs an active user",
    # Tenancy. Each begins with private.require_admin() or private.myself(), and refuses while a tool acts for somebody.
    "invite_user": "an admin, into the own tenant",
    "revoke_invitation": "an admin, of the own tenant",
    "my_invitations": "those to the caller's own confirmed address",
    "accept_invitation": "one to the caller's own confirmed address",
    "leave_tenant": "the caller alone",
    "set_user_role": "an admin, of a member of the own tenant; never the last admin",
    "set_user_active": "an admin, of a member of the own tenant; never the last admin",
    "remove_user": "an admin, of a member of the own tenant; never the last admin",
    "transfer_ownership": "an admin, between members of the own tenant",
    "rename_tenant": "an admin, of the own tenant",
    # The platform. Each begins with private.require_operator() or private.myself(), and refuses while a tool acts.
    "my_access": "answers about the caller alone",
    "runtime_health": "an admin, of the own tenant, and an operator",
    "set_configuration": "an operator",
    "set_tool": "an operator, of the platform's; an admin, of the own tenant's",
    "platform_tenants": "an operator; says what tenants there are, and nothing of what is in them",
    "set_tenant_limits": "an operator",
    "set_tenant_allow_hosts": "an operator",
    "publish_agent": "an operator, of an agent that the operator sees",
    "try_tool": "an admin, in the own tenant",
    "adopt_server_tools": "an admin, of the own tenant's servers; an operator, of the platform's",
    # What policies ask. They read public.users past its own policy, which would otherwise ask itself.
    "me": "answers about the caller alone",
    "my_tenant": "answers about the caller alone",
    "my_tenants": "answers about the caller alone",
    "is_admin": "answers about the caller alone",
    "can_write": "answers about the caller alone",
    "is_operator": "answers about the caller alone",
    "me_by_hint": "answers about the caller alone",
    "my_tenant_as_admin": "answers about the caller alone",
    # Reading past the policies, for speed or for order, by the policies' own conditions.
    "search_messages": "asks of each conversation what its policy asks",
    "found_tasks": "the same of each task; gives ids alone",
    "task_people": "names, to who sees the task's conversation",
    "owner_name": "a name, to who sees the conversation",
    "decider_name": "a name, to who sees the task's conversation",
    "is_acting": "says whether a tool runs SQL in this transaction",
    "my_address": "answers about the caller alone",
    "may_upload": "says whether a path is below a task of the caller's own",
    # The audit's chain, which people read as it is hashed. Each asks private.my_audited_tenant() first.
    "my_audit_head": "to an admin, the end of the own tenant's chain",
    "check_my_audit": "to an admin, of the own tenant's chain",
    "export_my_audit": "to an admin, the own tenant's chain",
}
"""`security definer` functions that authenticated may call, with what keeps the door."""

DEFINERS_OF_THE_SERVICE_KEY = {
    "sync_tools": "writes the catalogue of tools, which the service key may write anyway",
    "vault_wrapped": "gives wrapped data keys to the operator who rotates; without the master key they are nothing",
    "vault_rewrap": "writes them back",
    "vault_new_key": "makes a master key where Supabase Vault keeps them",
}
"""The same for service_role, which bypasses the policies; beside these, the worker's and those that policies ask."""

DEFINERS_OF_THE_WEB_UI = {
    "web_read_events": "reads the timelines that somebody watches, past the policies; who may see them is asked before",
    "web_last_event": "the same, the end of one",
}
"""The same for agent_worker, as which the web UI's server connects; beside these, the worker's own."""

SENSITIVE_COLUMNS = {
    "agents.max_tokens": "a number of a model's tokens",
    "execution_decisions.input_digest": "a digest of arguments that whoever sees the decision sees in full",
    "tool_executions.input_digest": "the same",
    "files.file_hash": "the digest by which a download is verified",
    "current_files.file_hash": "the same",
    "waiting_executions.input_digest": "a digest of arguments that whoever sees the call sees in full",
    "credentials.key_id": "a digest that tells master keys apart; what is sealed is in private",
    "system_config.config_key": "a setting's name",
    "tasks.idempotency_key": "chosen by the task's owner, who alone could use it again",
    "tasks.lease_token": "fences workers; useless to people, since no function that takes it is theirs to call",
    "audit_logs.hash": "the chain's, which is there to be compared",
    "audit_logs.prev_hash": "the chain's, which is there to be compared",
}
"""Columns that sound like secrets, with why they may stand in a table."""

WITHOUT_POLICY: dict[str, str] = {}
"""Tables in public with row-level security and no policy: nobody reads them but functions."""


def named(connection: Connection, statement: str) -> set[str]:
    return {row["name"] for row in many(connection, statement)}


@pytest.fixture(scope="module")
def people(shared_connection: Connection) -> People:
    return settle_in(shared_connection)


# Policies


def test_no_policy_leads_back_to_its_own_table(connection: Connection) -> None:
    reads = {row["name"]: set(row["reads"]) for row in many(connection, READS)}
    assert reads["messages"] == {"conversations"}
    for table in reads:
        reached: set[str] = set()
        ahead = set(reads[table])
        while ahead:
            step = ahead.pop()
            reached.add(step)
            ahead |= reads.get(step, set()) - reached
        assert table not in reached, f"{table}: its policies read it again, over {reached}"


# The tables that a policy's subqueries, or a view, read. Functions do not count: those with the owner's rights meet no
# policy, and the next test runs the others.
READS = """
select c.relname as name, array_agg(distinct (r.found)[1]::oid::regclass::text) as reads
from (
  select polrelid as relid, concat(polqual::text, polwithcheck::text) as tree from pg_policy
  union all
  select ev_class, ev_action::text from pg_rewrite
) t
join pg_class c on c.oid = t.relid and c.relnamespace in ('public'::regnamespace, to_regnamespace('storage'))
cross join lateral regexp_matches(t.tree, ':relid ([0-9]+)', 'g') r (found)
where (r.found)[1] <> '0'
group by 1
"""


def test_every_policy_can_be_evaluated_for_every_role(connection: Connection, people: People) -> None:
    tables = many(
        connection,
        "select c.relname as name, c.relkind::text as kind, min(a.attname) as col"
        " from pg_class c join pg_attribute a on a.attrelid = c.oid and attnum = 1"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') group by 1, 2",
    )
    assert len(tables) > 15
    tried = 0
    for table in tables:
        name = sql.Identifier("public", table["name"])
        column = sql.Identifier(table["col"])
        statements = [
            sql.SQL("select * from {}").format(name),
            sql.SQL("select {} from {} for update").format(column, name),
            sql.SQL("delete from {} where false").format(name),
            sql.SQL("insert into {} default values").format(name),
        ]
        if table["kind"] != "v":
            statements.append(sql.SQL("update {} set {} = {}").format(name, column, column))
        for role in ROLES:
            for statement in statements:
                state = sqlstate_as(connection, role, people, statement)
                # Recursion is 42P17; or 54001, the stack's depth, where it goes through functions.
                assert state not in ("42P17", "54001"), (role, statement.as_string(connection))
                tried += 1
    assert tried > 300


def sqlstate_as(connection: Connection, role: Role, people: People, statement: sql.Composed) -> str | None:
    """What a role gets for a statement, which changes nothing: its error's SQLSTATE, or None."""
    try:
        with connection.transaction(force_rollback=True), acting_as(connection, role, people.alice):
            connection.execute(statement)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def test_no_policy_lets_everybody_in(connection: Connection) -> None:
    policies = many(
        connection, "select tablename || ': ' || policyname as name, qual, with_check, roles::text from pg_policies"
    )
    assert [p["name"] for p in policies if "true" in (p["qual"], p["with_check"])] == []
    assert [p["name"] for p in policies if p["roles"] != "{authenticated}"] == []
    # One that asks for nobody would hold for tokens of nobody too: each asks, or rests on a table whose policies ask.
    reads = {row["name"] for row in many(connection, READS)}
    asks = re.compile(r"private\.(me|my_tenant|my_tenants|is_admin|can_write|may_upload)\(")
    silent = [p["name"] for p in policies if not asks.search(f"{p['qual']} {p['with_check']}")]
    assert [name for name in silent if name.split(":")[0] not in reads] == []


def test_every_table_has_a_policy_or_a_reason(connection: Connection) -> None:
    bare = (
        "select relname as name from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        " and not relispartition and not exists (select from pg_policy where polrelid = c.oid)"
    )
    assert named(connection, bare) == set(WITHOUT_POLICY)


# Rights


def test_no_role_of_the_api_is_more_than_it_is(connection: Connection) -> None:
    roles = many(
        connection,
        "select rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
        " from pg_roles where rolname = any (%s)",
        list(ROLES),
    )
    assert {role["rolname"] for role in roles} == set(ROLES)
    might = {f"{role['rolname']} {right}" for role in roles for right, has in role.items() if has is True}
    assert might == {"service_role rolbypassrls"}
    # agent_worker is made here; what authenticator and the API's login may become is the platform's to say.
    memberships = (
        "select roleid::regrole || ' of ' || member::regrole as name from pg_auth_members"
        " where member::regrole::text = any (%s) or roleid::regrole::text = 'agent_worker'"
    )
    found = {row["name"] for row in many(connection, memberships, [*ROLES, "agent_query"])}
    # What a tool sends runs as agent_query, which has a person's rights and is named by functions alone.
    assert found == {"agent_worker of postgres", "authenticated of agent_query"}
    attributes = one(
        connection,
        "select rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls from pg_roles"
        " where rolname = 'agent_query'",
    )
    assert set(attributes.values()) == {False}


def test_no_role_of_the_api_makes_or_owns_anything(connection: Connection) -> None:
    makes = (
        "select r || ' in ' || nspname as name from unnest(%s::text[]) r, pg_namespace n"
        " where has_schema_privilege(r, n.oid, 'create')"
        " union all select r || ' in the database' from unnest(%s::text[]) r"
        " where has_database_privilege(r, current_database(), 'create')"
    )
    assert many(connection, makes, list(ROLES), list(ROLES)) == []
    owns = "select objid from pg_shdepend where deptype = 'o' and refobjid::regrole::text = any (%s)"
    assert many(connection, owns, list(ROLES)) == []
    grants_on = (
        "select c.relname || ' by ' || a.grantee::regrole as name from pg_class c, aclexplode(c.relacl) a"
        f" where a.is_grantable and a.grantee <> c.relowner and c.relnamespace {OURS}"
    )
    assert named(connection, grants_on) == set()
    assert many(connection, "select * from pg_parameter_acl") == []


def test_everything_belongs_to_one_owner_who_is_no_superuser(connection: Connection) -> None:
    others = f"""
        select proowner::regrole || ' ' || proname as name from pg_proc
        where pronamespace {OURS} and proowner <> 'postgres'::regrole
        union all
        select relowner::regrole || ' ' || relname from pg_class
        where relnamespace {OURS} and relkind <> 'i' and relowner <> 'postgres'::regrole
    """
    # Security definer of a role that has a person's rights alone: it is what confines the SQL of tools.
    assert named(connection, others) == {"agent_query run_query", "agent_query run_change"}
    schemas = many(
        connection, "select nspname from pg_namespace where has_schema_privilege('agent_query', oid, 'create')"
    )
    assert schemas == [{"nspname": "agent_statements"}]
    assert value(connection, "select rolsuper from pg_roles where rolname = 'postgres'") is False


@pytest.mark.parametrize(
    ("role", "reasons"),
    [("anon", {}), ("authenticated", DEFINERS_OF_PEOPLE), ("service_role", DEFINERS_OF_THE_SERVICE_KEY)],
    ids=["anon", "authenticated", "service_role"],
)
def test_functions_with_the_owners_rights_are_few_and_have_reasons(
    connection: Connection, role: str, reasons: dict[str, str]
) -> None:
    definers = f"select proname as name from pg_proc where pronamespace {OURS} and prosecdef"
    callable_by = named(connection, f"{definers} and has_function_privilege('{role}', oid, 'execute')")
    workers = named(connection, f"{definers} and has_function_privilege('agent_worker', oid, 'execute')")
    assert {name for name in workers if not name.startswith("worker_")} == set(DEFINERS_OF_THE_WEB_UI)
    if role == "service_role":
        callable_by -= workers | set(DEFINERS_OF_PEOPLE)
    assert callable_by == set(reasons)


def test_nobody_but_the_owner_decides_who_is_what(connection: Connection, people: People) -> None:
    # The worker's functions touch no user, and the worker's role reads no table.
    mine = "select role, tenant_id, home_tenant_id, is_active, id, email from public.users where id = %s"
    changes = {
        "role": "'admin'",
        "tenant_id": f"'{value(connection, 'select tenant_id from public.users where id = %s', people.bob)}'",
        "home_tenant_id": "gen_random_uuid()",
        "is_active": "not is_active",
        "id": "gen_random_uuid()",
        "email": "'root@example.org'",
    }
    for who in (people.alice, people.vera, people.dan, people.eve, people.bob):
        before = one(connection, mine, who)
        for column, new in changes.items():
            update = sql.SQL("update public.users set {} = {}").format(sql.Identifier(column), sql.SQL(new))
            with suppress(psycopg.Error), connection.transaction(), person(connection, who):
                connection.execute(update)
        after = one(connection, mine, who)
        # An admin's role is 'admin' already.
        assert after == before, who
    everybody = "select * from public.users order by id"
    before_all = many(connection, everybody)
    for column, new in changes.items():
        update = sql.SQL("update public.users set {} = {}").format(sql.Identifier(column), sql.SQL(new))
        for role in ("anon", "agent_worker", "service_role"):
            with suppress(psycopg.Error), connection.transaction(), acting_as(connection, role):
                connection.execute(update)
    stable = ("id", "role", "tenant_id", "home_tenant_id", "is_active", "email")
    assert [[row[c] for c in stable] for row in many(connection, everybody)] == [
        [row[c] for c in stable] for row in before_all
    ]


# What should not be there at all


def test_columns_that_sound_like_secrets_have_a_reason(connection: Connection) -> None:
    sounding = (
        "select c.relname || '.' || a.attname as name from pg_attribute a join pg_class c on c.oid = a.attrelid"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition"
        " and a.attnum > 0 and not a.attisdropped"
        " and a.attname ~* '(pass|secret|token|key|auth|cred|cookie|cipher|hash|digest|salt|nonce)'"
    )
    assert named(connection, sounding) == set(SENSITIVE_COLUMNS)


def test_nothing_runs_or_opens_by_itself(connection: Connection) -> None:
    # Rights on what is yet to be made are the platform's to give; ours are stated for each object.
    assert many(connection, "select defaclrole::regrole, defaclacl from pg_default_acl") == []
    assert named(connection, "select evtname as name from pg_event_trigger") == set()
    assert named(connection, "select extname as name from pg_extension") == {"plpgsql"}
    assert named(connection, "select srvname as name from pg_foreign_server") == set()
    rules = f"select rulename as name from pg_rewrite r join pg_class c on c.oid = ev_class where relnamespace {OURS}"
    assert named(connection, f"{rules} and relkind <> 'v'") == set()
    asleep = "select tgrelid::regclass || ' ' || tgname as name from pg_trigger where tgenabled <> 'O'"
    assert named(connection, asleep) == set()
    publications = "select pubname as name from pg_publication"
    assert named(connection, publications) == set()
