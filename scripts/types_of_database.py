"""What a signed-in person reaches of a database as TypeScript, in the shape that supabase-js takes as its `Database`.

Only what the role `authenticated` was granted: a table that it may not insert into has `Insert: never`. Row-level
security decides about rows; this is about columns. A text column with a check `in (…)` is the union of what it takes,
jsonb is `Json`, and bigint is a number, because that is how it comes over REST. Comments become doc comments. What an
insert must give is told from what sql/access.yaml gives: triggers set the rest, which the catalog does not say.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg.rows import dict_row

from agent_runtime.access import matrix
from scripts.typescript import alternatives, block, documented, quoted

Connection = psycopg.Connection[Any]

HEADER = """// Made by `make types` from the database that sql/ makes. Change that, not this.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]
"""
FOOTER = """
/** A row of a table or a view. */
export type Row<Name extends keyof (Database['public']['Tables'] & Database['public']['Views'])> =
  (Database['public']['Tables'] & Database['public']['Views'])[Name]['Row']

/** What a function answers. */
export type Answer<Of extends keyof Database['public']['Functions']> = Database['public']['Functions'][Of]['Returns']
"""

_AS_TEXT = ("text", "character varying", "uuid", "date", "timestamp with time zone", "inet", "bytea", "tsvector")
_TYPES = {
    "boolean": "boolean",
    **dict.fromkeys(("smallint", "integer", "bigint", "real", "double precision", "numeric"), "number"),
    **dict.fromkeys(("json", "jsonb"), "Json"),
    **dict.fromkeys(_AS_TEXT, "string"),
    "void": "undefined",
}

_RELATIONS = """
select c.oid::integer as oid, c.relname as name, c.relkind = 'v' as is_view, obj_description(c.oid, 'pg_class') as says
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')
  and has_any_column_privilege('authenticated', c.oid, 'select, insert, update')
order by c.relname collate "C"
"""
_COLUMNS = """
select a.attname as name, a.attnum as number, format_type(coalesce(nullif(t.typelem, 0), t.oid), null) as type,
       t.typcategory = 'A' as is_array, not a.attnotnull as is_nullable, col_description(a.attrelid, a.attnum) as says,
       a.atthasdef or a.attidentity <> '' as has_default, a.attidentity = 'a' or a.attgenerated <> '' as is_generated,
       has_column_privilege('authenticated', a.attrelid, a.attnum, 'select') as may_select,
       has_column_privilege('authenticated', a.attrelid, a.attnum, 'insert') as may_insert,
       has_column_privilege('authenticated', a.attrelid, a.attnum, 'update') as may_update
from pg_attribute a
join pg_type t on t.oid = a.atttypid
where a.attrelid = %s::oid and a.attnum > 0 and not a.attisdropped
order by a.attname collate "C"
"""
_DEFINITION = "select pg_get_viewdef(%s::oid) as definition"
_ORIGIN = """
select c.relname as relation, a.attname as name
from pg_class c
join pg_attribute a on a.attrelid = c.oid
where c.oid = %s::oid and c.relkind in ('r', 'p') and a.attnum = %s
"""
_CHECKS = """
select a.attname as name, pg_get_constraintdef(k.oid) as definition
from pg_constraint k
join pg_attribute a on a.attrelid = k.conrelid and k.conkey = array[a.attnum]
where k.conrelid = %s::oid and k.contype = 'c'
"""
_FOREIGN_KEYS = """
select k.conname as name, r.relname as referenced,
       (select array_agg(a.attname::text order by x.position)
        from unnest(k.conkey) with ordinality x (number, position)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = x.number) as columns,
       (select array_agg(a.attname::text order by x.position)
        from unnest(k.confkey) with ordinality x (number, position)
        join pg_attribute a on a.attrelid = k.confrelid and a.attnum = x.number) as referenced_columns,
       exists (
         select from pg_index i where i.indrelid = k.conrelid and i.indisunique and i.indpred is null
           and array(select unnest(i.indkey::smallint[]) order by 1) = array(select unnest(k.conkey) order by 1)
       ) as is_one_to_one
from pg_constraint k
join pg_class r on r.oid = k.confrelid
where k.conrelid = %s::oid and k.contype = 'f' and k.confrelid = any (%s::oid[])
order by k.conname collate "C"
"""
_FUNCTIONS = """
select p.oid::integer as oid, p.proname as name, p.proretset as is_set, obj_description(p.oid, 'pg_proc') as says,
       format_type(p.prorettype, null) as type, t.typrelid::integer as relation
from pg_proc p
join pg_type t on t.oid = p.prorettype
where p.pronamespace = 'public'::regnamespace and has_function_privilege('authenticated', p.oid, 'execute')
order by p.proname collate "C"
"""
_PARAMETERS = """
select a.name, a.mode, format_type(coalesce(nullif(t.typelem, 0), t.oid), null) as type,
       t.typcategory = 'A' as is_array,
       pg_get_function_arg_default(p.oid, a.number::integer) as default
from pg_proc p
cross join unnest(
  coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargnames,
  coalesce(p.proargmodes, array_fill('i'::"char", array[p.pronargs::integer]))
) with ordinality as a (type, name, mode, number)
join pg_type t on t.oid = a.type
where p.oid = %s::oid and a.name is not null
order by a.number
"""

_ONE_OF = re.compile(r"^CHECK \(\(\(?\w+\)?(?:::text)? = ANY \(\(?ARRAY\[(.*?)\](?:\)::text\[\])?\)\)\)$")
_TEXT = re.compile(r"'((?:[^']|'')*)'::")


@dataclass(frozen=True)
class Column:
    """Of a table or view; `members` are its type without null, as a union."""

    name: str
    members: tuple[str, ...]
    says: str | None
    is_nullable: bool
    is_optional: bool
    """An insert may leave it out."""
    may: frozenset[str]
    """Of select, insert and update, what `authenticated` may."""


def text(connection: psycopg.Connection[Any]) -> str:
    """The file. The connection's role must be able to read the catalog, which everybody is."""
    with connection.cursor(row_factory=dict_row) as cursor:
        relations = cursor.execute(_RELATIONS).fetchall()
        reachable = [row["oid"] for row in relations]
        tables = [_table(cursor, row, reachable) for row in relations if not row["is_view"]]
        views = [_view(cursor, row) for row in relations if row["is_view"]]
        rows = {row["oid"]: f"{'Views' if row['is_view'] else 'Tables'}'][{quoted(row['name'])}" for row in relations}
        functions = [_function(cursor, row, rows) for row in cursor.execute(_FUNCTIONS).fetchall()]
    schema = block(
        "public:",
        [
            block("Tables:", tables, 4),
            block("Views:", views, 4),
            block("Functions:", functions, 4),
            ["    Enums: {}", "    CompositeTypes: {}"],
        ],
        2,
    )
    return "\n".join([HEADER, *block("export type Database =", [schema])]) + "\n" + FOOTER


def _table(cursor: psycopg.Cursor[dict[str, Any]], row: dict[str, Any], reachable: list[int]) -> list[str]:
    columns = _columns(cursor, row["oid"], matrix.load().thing("tables", row["name"]).trial.insert)
    keys = cursor.execute(_FOREIGN_KEYS, [row["oid"], reachable]).fetchall()
    return [
        *documented(row["says"], 6),
        *block(
            f"{row['name']}:",
            [
                _shape("Row", columns, "select"),
                _shape("Insert", columns, "insert"),
                _shape("Update", columns, "update"),
                _relationships(keys),
            ],
            6,
        ),
    ]


def _view(cursor: psycopg.Cursor[dict[str, Any]], row: dict[str, Any]) -> list[str]:
    origins = _origins(cursor, row["oid"])
    columns = [
        replace(origins[own.name], says=own.says or origins[own.name].says) if own.name in origins else own
        for own in _columns(cursor, row["oid"], ())
    ]
    shapes = [_shape("Row", columns, "select"), _relationships([])]
    return [*documented(row["says"], 6), *block(f"{row['name']}:", shapes, 6)]


def _origins(cursor: psycopg.Cursor[dict[str, Any]], view: int) -> dict[str, Column]:
    """The view's columns that are a table's, as the table has them; the catalog calls all of a view nullable."""
    row = cursor.execute(_DEFINITION, [view]).fetchone()
    assert row is not None
    definition = row["definition"].rstrip().rstrip(";")
    # SQL of the catalog's own, of a database that was made from sql/.
    described = cursor.execute(f"select * from ({definition}) d limit 0").pgresult  # noqa: S608
    assert described is not None
    found: dict[str, Column] = {}
    for index, name in enumerate(described.fname(n) for n in range(described.nfields)):
        table, number = described.ftable(index), described.ftablecol(index)
        origin = cursor.execute(_ORIGIN, [table, number]).fetchone()
        # The other side of an outer join may be missing.
        if name is None or origin is None or re.search(rf"(LEFT|RIGHT|FULL) JOIN {origin['relation']}\b", definition):
            continue
        (column,) = (one for one in _columns(cursor, table, ()) if one.name == origin["name"])
        found[name.decode()] = replace(column, name=name.decode(), may=frozenset({"select"}))
    return found


def _columns(cursor: psycopg.Cursor[dict[str, Any]], relation: int, given: Container[str]) -> list[Column]:
    """The columns of a table or view; `given` are those that an insert of `sql/access.yaml` gives."""
    choices = {
        row["name"]: tuple(quoted(value.replace("''", "'")) for value in _TEXT.findall(found[1]))
        for row in cursor.execute(_CHECKS, [relation])
        if (found := _ONE_OF.match(row["definition"]))
    }
    return [
        Column(
            name=row["name"],
            members=choices.get(row["name"]) or (_typescript(row["type"], row["is_array"]),),
            says=row["says"],
            is_nullable=row["is_nullable"],
            is_optional=row["is_nullable"] or row["has_default"] or row["name"] not in given,
            may=frozenset(
                verb
                for verb in ("select", "insert", "update")
                if row[f"may_{verb}"] and (verb == "select" or not row["is_generated"])
            ),
        )
        for row in cursor.execute(_COLUMNS, [relation]).fetchall()
    ]


def _shape(name: str, columns: list[Column], verb: str) -> list[str]:
    reached = [column for column in columns if verb in column.may]
    if not reached:
        return [f"        {name}: never"]
    fields = []
    for column in reached:
        mark = "?" if verb == "update" or (verb == "insert" and column.is_optional) else ""
        members = [*column.members, *(["null"] if column.is_nullable else [])]
        says = documented(column.says, 10) if verb == "select" else []
        fields.append([*says, *alternatives(f"{column.name}{mark}:", members, 10)])
    return block(f"{name}:", fields, 8)


def _relationships(keys: list[dict[str, Any]]) -> list[str]:
    if not keys:
        return ["        Relationships: []"]
    lines = ["        Relationships: ["]
    for key in keys:
        columns = ", ".join(quoted(name) for name in key["columns"])
        referenced = ", ".join(quoted(name) for name in key["referenced_columns"])
        lines += [
            "          {",
            f"            foreignKeyName: {quoted(key['name'])}",
            f"            columns: [{columns}]",
            f"            isOneToOne: {str(key['is_one_to_one']).lower()}",
            f"            referencedRelation: {quoted(key['referenced'])}",
            f"            referencedColumns: [{referenced}]",
            "          },",
        ]
    return [*lines, "        ]"]


def _function(cursor: psycopg.Cursor[dict[str, Any]], row: dict[str, Any], rows: dict[int, str]) -> list[str]:
    parameters = cursor.execute(_PARAMETERS, [row["oid"]]).fetchall()
    arguments, answered = [], []
    for given in parameters:
        type_ = _typescript(given["type"], given["is_array"])
        if given["mode"] == "t":
            answered.append([f"          {given['name']}: {type_}"])
        else:
            default = given["default"]
            nullable = " | null" if default is not None and default.startswith("NULL::") else ""
            arguments.append([f"          {given['name']}{'?' if default is not None else ''}: {type_}{nullable}"])
    shape = block("Args:", arguments, 8) if arguments else ["        Args: never"]
    if answered:
        shape += block("Returns:", answered, 8)
        shape[-1] += "[]"
    elif row["relation"]:
        # A row with all its columns, wherever it comes from.
        returned = f"Database['public']['{rows[row['relation']]}]['Row']"
        shape.append(f"        Returns: {returned}{'[]' if row['is_set'] else ''}")
    else:
        shape.append(f"        Returns: {_typescript(row['type'], row['is_set'])}")
    return [*documented(row["says"], 6), *block(f"{row['name']}:", [shape], 6)]


def _typescript(type_: str, is_array: bool) -> str:
    """A type of Postgres, or an array of it."""
    if type_ not in _TYPES:
        raise TypeError(f"no TypeScript is known for {type_}: add it to scripts/types_of_database.py")
    return _TYPES[type_] + ("[]" if is_array else "")
