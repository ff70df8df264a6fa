"""What there is in the database, against what the matrix names, and what is granted, against what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from agent_runtime.access.matrix import DENIED, Matrix, Section

Connection = psycopg.Connection[dict[str, Any]]

ROLES = ("anon", "authenticated", "service_role", "agent_worker", "agent_query")

_RELATIONS = """
select c.relname as name,
       case
         when n.nspname = 'private' then 'private'
         when c.relkind = 'S' then 'sequences'
         when c.relkind in ('v', 'm') then 'views'
         else 'tables'
       end as section
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'private') and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  and (n.nspname, c.relkind) <> ('private', 'S')
  -- A partition is reached as its table is; that nothing else is granted on it is held below.
  and not c.relispartition
  and not exists (select from pg_catalog.pg_depend d where d.objid = c.oid and d.deptype = 'e')
"""
_FUNCTIONS = """
select p.proname as name, case n.nspname when 'public' then 'functions' else 'private_functions' end as section
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('public', 'private') and p.prorettype <> 'trigger'::regtype
  and (
    n.nspname = 'public'
    or exists (select from unnest(%(roles)s::text[]) r where pg_catalog.has_function_privilege(r, p.oid, 'execute'))
  )
  and not exists (select from pg_catalog.pg_depend d where d.objid = p.oid and d.deptype = 'e')
"""
_GRANTED = """
select c.relname as name, n.nspname as schema, role, verb
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
cross join unnest(%(roles)s::text[]) role
cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) verb
where n.nspname in ('public', 'private') and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and not exists (select from pg_catalog.pg_depend d where d.objid = c.oid and d.deptype = 'e')
  and (
    pg_catalog.has_table_privilege(role, c.oid, verb)
    or verb in ('select', 'insert', 'update', 'references') and pg_catalog.has_any_column_privilege(role, c.oid, verb)
  )
"""
_PARAMETERS = """
select p.proname as name, n.nspname as schema, a.name as parameter, pg_catalog.format_type(a.type, null) as type,
       a.position > p.pronargs - p.pronargdefaults as has_default
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
cross join unnest(p.proargtypes::oid[], p.proargnames[1:p.pronargs]) with ordinality as a (type, name, position)
where n.nspname in ('public', 'private') and p.prorettype <> 'trigger'::regtype
order by a.position
"""


@dataclass(frozen=True)
class Parameter:
    """Of a function; `name` is empty where it has none."""

    name: str
    type: str
    has_default: bool


@dataclass(frozen=True)
class Catalog:
    """What was found."""

    missing: tuple[str, ...]
    """What exists and is not in the matrix, or the reverse, or is granted beside it; a sentence each."""
    parameters: dict[tuple[str, str], tuple[Parameter, ...]]
    """By schema and name of the function."""
    has_storage: bool


def look(connection: Connection, matrix: Matrix) -> Catalog:
    """As the owner; reads the catalog alone."""
    parameters: dict[tuple[str, str], list[Parameter]] = {}
    for row in connection.execute(_PARAMETERS):
        known = parameters.setdefault((row["schema"], row["name"]), [])
        known.append(Parameter(row["parameter"] or "", row["type"], row["has_default"]))
    has_storage = _value(connection, "select to_regclass('storage.objects') is not null")
    sentences = [
        *_names(connection, matrix),
        *(_buckets(connection, matrix) if has_storage else ()),
        *_grants(connection, matrix),
        *_published(connection, matrix),
    ]
    return Catalog(tuple(sentences), {key: tuple(value) for key, value in parameters.items()}, has_storage)


def _names(connection: Connection, matrix: Matrix) -> list[str]:
    found: dict[str, list[str]] = {}
    for row in [
        *connection.execute(_RELATIONS).fetchall(),
        *connection.execute(_FUNCTIONS, {"roles": list(ROLES)}).fetchall(),
    ]:
        found.setdefault(row["section"], []).append(row["name"])
    sections: tuple[Section, ...] = ("tables", "views", "private", "sequences", "functions", "private_functions")
    sentences = []
    for section in sections:
        declared, there = {thing.name for thing in matrix.of(section)}, found.get(section, [])
        sentences += [f"{section}: {name} exists, and the matrix has no line for it" for name in set(there) - declared]
        sentences += [f"{section}: {name} is in the matrix, and does not exist" for name in declared - set(there)]
        sentences += [f"{section}: there are several functions {name}" for name in set(there) if there.count(name) > 1]
    return sorted(sentences)


def _buckets(connection: Connection, matrix: Matrix) -> list[str]:
    declared = {thing.name for thing in matrix.of("storage")}
    rows = connection.execute("select id, public from storage.buckets where id not like 'access-probe-%'").fetchall()
    there = {row["id"] for row in rows}
    return sorted(
        [f"storage: the bucket {name} exists, and the matrix has no line for it" for name in there - declared]
        + [f"storage: the bucket {name} is in the matrix, and does not exist" for name in declared - there]
        + [f"storage: the bucket {row['id']} is public" for row in rows if row["public"]]
    )


def _grants(connection: Connection, matrix: Matrix) -> list[str]:
    """Grants that no cell needs: a policy may hide every row today, and the grant is there tomorrow."""
    needed: set[tuple[str, str, str]] = set()
    for thing in matrix.of("tables", "views", "private"):
        for verb in thing.verbs:
            for caller in matrix.callers.values():
                if thing.declared(verb, caller) != DENIED:
                    needed.add((f"{thing.schema}.{thing.name}", caller.role, verb))
    return sorted(
        f"{row['schema']}.{row['name']}: {row['verb']} is granted to {row['role']}, and no cell needs it"
        for row in connection.execute(_GRANTED, {"roles": list(ROLES)})
        if not {(f"{row['schema']}.{row['name']}", role, row["verb"]) for role in _through(row["role"])} & needed
    )


def _through(role: str) -> tuple[str, ...]:
    # What a tool's SQL runs as is a member of what its people are.
    return (role, "authenticated") if role == "agent_query" else (role,)


def _published(connection: Connection, matrix: Matrix) -> list[str]:
    """What Realtime sends out, where there is one."""
    declared = set(matrix.realtime.get("tables", []))
    rows = connection.execute(
        "select schemaname || '.' || tablename as name from pg_catalog.pg_publication_tables"
        " where pubname = 'supabase_realtime' and schemaname in ('public', 'private')"
    )
    sentences = [
        f"realtime: {row['name']} is published, and the matrix does not say so"
        for row in rows
        if row["name"].removeprefix("public.") not in declared
    ]
    if _value(connection, "select to_regclass('realtime.messages') is not null"):
        rows = connection.execute(
            "select policyname as name from pg_catalog.pg_policies"
            " where schemaname = 'realtime' and tablename = 'messages'"
        )
        topics = set(matrix.realtime.get("policies", []))
        sentences += [
            f"realtime: the policy {row['name']!r} lets people into topics, and the matrix does not say so"
            for row in rows
            if row["name"] not in topics
        ]
    return sentences


def _value(connection: Connection, statement: str) -> Any:
    row = connection.execute(statement).fetchone()
    assert row is not None
    return next(iter(row.values()))
