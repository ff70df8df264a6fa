"""What a database declares, as a set of plain sentences, so that two databases can be compared."""

from __future__ import annotations

from tests.db.impersonation import Connection, many

TABLES = (
    "users", "agents", "conversations", "messages", "tasks", "tools", "tool_executions", "files", "system_config",
    "audit_logs",
)  # fmt: skip
"""The schema document's."""

_COLUMNS = """
select format('%%s.%%s is %%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod)) as is,
       format('%%s.%%s %%s null', c.relname, a.attname, case when a.attnotnull then 'is never' else 'may be' end)
         as null,
       format('%%s.%%s defaults to %%s', c.relname, a.attname, pg_get_expr(d.adbin, d.adrelid)) as default,
       d.adbin is not null as has_default
from pg_attribute a
join pg_class c on c.oid = a.attrelid
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where c.oid = any (%s::regclass[]) and a.attnum > 0 and not a.attisdropped
"""
# NOT NULL is told of columns; Postgres 18 has it as a constraint too.
_CONSTRAINTS = """
select format('%%s has %%s', conrelid::regclass, pg_get_constraintdef(oid)) as fact
from pg_constraint where conrelid = any (%s::regclass[]) and contype <> 'n'
"""
_INDEXES = """
select replace(replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON '), ' public.', ' ') as fact
from pg_index where indrelid = any (%s::regclass[])
"""
_TRIGGERS = """
select replace(pg_get_triggerdef(oid), ' public.', ' ') as fact
from pg_trigger where tgrelid = any (%s::regclass[]) and not tgisinternal
"""
_POLICIES = """
select format('%%s has the policy %%s for %%s', polrelid::regclass, polname,
              case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' else polcmd::text end)
         as fact
from pg_policy where polrelid = any (%s::regclass[])
"""
_ROW_LEVEL_SECURITY = """
select format('%%s has row-level security', oid::regclass) as fact
from pg_class where oid = any (%s::regclass[]) and relrowsecurity
"""
_VIEWS = """
select format('view %s has %s as %s, column %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnum)
         as fact
from pg_attribute a join pg_class c on c.oid = a.attrelid
where c.relkind = 'v' and c.relnamespace = 'public'::regnamespace
"""
_FUNCTIONS = """
select format('function %s returns %s', oid::regprocedure, pg_get_function_result(oid)) as fact
from pg_proc where proname = 'update_updated_at_column'
"""
_SEEDS = """
select format('system_config has %s = %s (%s)', config_key, config_value, description) as fact from system_config
union all
select format('tools has %s: %s', name, detail) from tools, lateral (values
  ('named ' || display_name), ('described as ' || description), ('of category ' || category),
  ('implemented in ' || implementation_type), ('of security level ' || security_level)
) as details (detail)
union all
select format('tools has %s: taking %s, %s%s', name, p.key, p.value ->> 'type',
              case when function_schema #> '{function,parameters,required}' ? p.key then ', required' end)
from tools, lateral jsonb_each(function_schema #> '{function,parameters,properties}') p
union all
select format('agents has %s: %s', name, detail) from agents, lateral (values
  ('described as ' || description), ('prompted by ' || split_part(system_prompt, E'\n\n', 1)), ('asking ' || model_name)
) as details (detail)
union all
select format('agents has %s: with %s', name, unnest(tools_enabled)) from agents
"""


def declared(connection: Connection) -> set[str]:
    """Everything that the schema document could have said of this database. Sees `public` on the search path."""
    found = set()
    tables = list(TABLES)
    for row in many(connection, _COLUMNS, tables):
        found |= {row["is"], row["null"]} | ({row["default"]} if row["has_default"] else set())
    for statement in (_CONSTRAINTS, _INDEXES, _TRIGGERS, _POLICIES, _ROW_LEVEL_SECURITY):
        found |= {row["fact"] for row in many(connection, statement, tables)}
    for statement in (_VIEWS, _FUNCTIONS, _SEEDS):
        found |= {row["fact"] for row in connection.execute(statement).fetchall()}
    return found


def columns(connection: Connection) -> set[str]:
    """`table.column` of every table in `public`."""
    rows = many(
        connection,
        "select c.relname || '.' || a.attname as name from pg_attribute a join pg_class c on c.oid = a.attrelid"
        " where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and a.attnum > 0"
        " and not a.attisdropped",
    )
    return {row["name"] for row in rows}
