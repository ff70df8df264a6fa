-- SQL that a tool runs as its task's owner: what the owner may see and change, and no more.
--
-- The statement runs inside a security definer function of agent_query, which has the rights of `authenticated` and no others.
-- There Postgres refuses `set role` and `set session authorization`, so no statement gets back to the worker's role, which may
-- call the worker's functions. (In the worker's own session, `reset role` would.) Who it runs for stands in private.acting,
-- where no statement reaches, and not in the claims alone.
--
-- Policies of other tables may believe the claims, and set_config() would forge them, also from within the text that query_to_xml()
-- and its like run. So each statement is read before it runs, by Postgres's own parser: which functions it calls, which
-- tables it names, as they were resolved, and not as they were spelled.

create or replace function private.is_acting() returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return exists (select from private.acting a where a.xid = pg_catalog.pg_current_xact_id_if_assigned());
end
$$;
comment on function private.is_acting() is
  'Whether a tool runs SQL in this transaction: what is a person''s own decision is refused then.';

create or replace function private.is_callable(p_function pg_catalog.pg_proc) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_schema constant text := (select n.nspname::text from pg_catalog.pg_namespace n where n.oid = p_function.pronamespace);
begin
  if v_schema = 'pg_catalog' then
    return case p_function.provolatile
      when 'i' then true
      -- Settings, statistics, other people's code, and queries that are given as text, are not data.
      when 's' then p_function.proname !~ '^(pg_|current_setting$|fmgr_)|_to_xml' or p_function.proname in (
        'pg_typeof', 'pg_get_constraintdef', 'pg_get_indexdef', 'pg_get_expr', 'pg_get_serial_sequence', 'pg_table_is_visible',
        'pg_type_is_visible', 'pg_timezone_names', 'pg_column_size', 'pg_collation_for', 'pg_input_is_valid'
      )
      else p_function.proname in (
        'random', 'random_normal', 'gen_random_uuid', 'uuidv4', 'uuidv7', 'clock_timestamp', 'timeofday', 'nextval', 'currval', 'lastval',
        'array_sample', 'array_shuffle'
      )
    end;
  elsif p_function.provolatile = 'i' then
    return v_schema <> 'private';
  elsif exists (
    select from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = p_function.oid and d.deptype = 'e'
  ) then
    -- HTTP clients, links to other databases, queries given as text.
    return false;
  end if;
  return p_function.provolatile = 's' and (
    v_schema = 'public' or (v_schema = 'auth' and p_function.proname in ('uid', 'role', 'jwt', 'email'))
  );
end
$$;
comment on function private.is_callable(pg_catalog.pg_proc) is
  'Whether a tool''s SQL may name this function: what is immutable or only reads, outside the runtime''s own; never a change.';

create or replace function private.is_readable(p_relation pg_catalog.pg_class) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_schema constant text := (select n.nspname::text from pg_catalog.pg_namespace n where n.oid = p_relation.relnamespace);
begin
  if v_schema = 'pg_catalog' then
    -- The rest tells of other people's work (statistics, activity) or holds settings, sources and triggers with secrets in them.
    return p_relation.relname in (
      'pg_tables', 'pg_indexes', 'pg_namespace', 'pg_type', 'pg_enum', 'pg_attribute', 'pg_constraint', 'pg_description'
    );
  elsif v_schema = 'information_schema' then
    return p_relation.relname in (
      'tables', 'columns', 'views', 'schemata', 'table_constraints', 'key_column_usage', 'constraint_column_usage',
      'referential_constraints', 'check_constraints', 'domains', 'sequences'
    );
  end if;
  return v_schema not in ('private', 'pg_toast') and not exists (
    select from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = p_relation.oid and d.deptype = 'e'
  );
end
$$;
comment on function private.is_readable(pg_catalog.pg_class) is
  'Whether a tool''s SQL may name this table or view; whether its owner may read it is for grants and policies to say.';

create or replace function private.is_changeable(p_relation pg_catalog.pg_class) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_schema constant text := (select n.nspname::text from pg_catalog.pg_namespace n where n.oid = p_relation.relnamespace);
begin
  -- Of the runtime's own tables an agent changes none that says who may do what, or what was said and done; not with its owner's
  -- rights either. Accounts and stored bytes have an API of their own.
  return v_schema not in ('auth', 'storage', 'realtime', 'pg_catalog', 'information_schema') and not (
    v_schema = 'public' and p_relation.relname in (
      'agents', 'audit_logs', 'credentials', 'execution_decisions', 'files', 'invitations', 'messages', 'system_config',
      'task_events', 'tenants', 'tool_executions', 'tools', 'users', 'workers', 'conversation_details', 'tool_statistics',
      'current_files', 'task_overview', 'waiting_executions'
    )
  );
end
$$;
comment on function private.is_changeable(pg_catalog.pg_class) is
  'Whether a tool''s SQL may change rows of this table; whether its owner may is for grants and policies to say.';

create or replace function private.parse_statement(p_sql text) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_name constant text := 's' || pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', '');
  v_cursor refcursor;
  v_tree text;
begin
  perform pg_catalog.set_config('search_path', 'pg_catalog, public, pg_temp', true);
  begin
    -- Refused where it is more than one statement. Nothing of it runs: the cursor is never read.
    open v_cursor for execute 'explain ' || p_sql;
    close v_cursor;
  exception when invalid_cursor_definition then
    raise exception using errcode = '42601', message = 'one statement at a time';
  end;
  begin
    -- The body of a function in SQL's own syntax is kept as the parser understood it, and is never run.
    execute pg_catalog.format('create function agent_statements.%I() returns void language sql begin atomic', v_name)
      || E'\n' || p_sql || E'\n; end';
    select p.prosqlbody::text into v_tree
    from pg_catalog.pg_proc p
    where p.pronamespace = 'agent_statements'::pg_catalog.regnamespace and p.proname = v_name;
    raise exception using errcode = 'AR900';
  exception when sqlstate 'AR900' then
    null;
  end;
  if v_tree is null then
    raise exception using errcode = '42601', message = 'the statement cannot be read';
  end if;
  return v_tree;
end
$$;
comment on function private.parse_statement(text) is 'One statement as Postgres understood it (pg_node_tree); an error for anything else.';

create or replace function private.require_statement(p_sql text, p_change boolean) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_tree text;
  v_command text;
  v_name text;
begin
  if pg_catalog.octet_length(p_sql) > 65536 then
    raise exception using
      errcode = 'AR006',
      message = pg_catalog.format('limit sql_bytes reached: the statement has %s bytes, at most 65536 are taken', pg_catalog.octet_length(p_sql));
  end if;
  v_tree := private.parse_statement(p_sql);
  v_command := case pg_catalog.substring(v_tree, '^\(*\{QUERY :commandType (\d+) ')
    when '1' then 'select' when '2' then 'update' when '3' then 'insert' when '4' then 'delete' when '5' then 'merge'
  end;
  if v_command is null or (v_command <> 'select') <> p_change or v_tree ~ ' :hasModifyingCTE true ' then
    raise exception using
      errcode = '0A000',
      message = case
        when p_change then 'one INSERT, UPDATE, DELETE or MERGE is taken, with no change inside WITH; read with db_query'
        else 'one SELECT is taken, with no change inside WITH; change rows with db_execute'
      end;
  end if;

  select p.oid::pg_catalog.regprocedure::text into v_name
  from pg_catalog.regexp_matches(v_tree, ' :(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+) ', 'g') m
  left join pg_catalog.pg_proc p on p.oid = m[1]::oid
  where p.oid is null or not private.is_callable(p)
  order by p.oid
  limit 1;
  if found then
    raise exception using errcode = '42501', message = pg_catalog.format('function %s is not open to tools', coalesce(v_name, '?'));
  end if;
  select c.oid::pg_catalog.regclass::text into v_name
  from pg_catalog.regexp_matches(v_tree, ' :relid (\d+) ', 'g') m
  left join pg_catalog.pg_class c on c.oid = m[1]::oid
  where m[1] <> '0' and (c.oid is null or not private.is_readable(c))
  order by c.oid
  limit 1;
  if found then
    raise exception using
      errcode = '42501',
      message = pg_catalog.format(
        '%s is not open to tools; what tables there are is in information_schema.tables and .columns', coalesce(v_name, '?')
      );
  end if;
  if p_change then
    -- The table to change is the one that is locked for it.
    select c.oid::pg_catalog.regclass::text into v_name
    from pg_catalog.regexp_matches(v_tree, ' :relid (\d+) [^{}()]*:rellockmode 3 ', 'g') m
    join pg_catalog.pg_class c on c.oid = m[1]::oid
    where private.is_changeable(c);
    if not found then
      raise exception using errcode = '42501', message = 'this table is changed by people, not by their agents';
    end if;
  end if;
end
$$;
comment on function private.require_statement(text, boolean) is
  'Refuses all but one statement that reads, or with p_change one that changes rows, and that names nothing which is not open to tools.';

create or replace function private.result_row(p_row json, p_cell_length integer) returns json
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select coalesce(json_agg(
    case
      when json_typeof(e.value) = 'string' and length(e.value #>> '{}') > p_cell_length
        then to_json(format('%s… [cut: %s characters]', left(e.value #>> '{}', p_cell_length), length(e.value #>> '{}')))
      when length(e.value::text) > p_cell_length and json_typeof(e.value) <> 'string'
        then to_json(format('%s… [cut: %s characters]', left(e.value::text, p_cell_length), length(e.value::text)))
      else e.value
    end
    order by e.ordinality
  ), '[]')
  from json_each(p_row) with ordinality e
$$;

create or replace function private.read_rows(
  p_cursor refcursor, p_rows integer, p_bytes integer, p_at_most bigint default null, p_until timestamptz default null
) returns json
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_found record;
  v_json json;
  v_row json;
  v_columns json := '[]'::json;
  v_rows json[] := '{}'::json[];
  v_count bigint := 0::bigint;
  v_bytes bigint := 0::bigint;
  v_cut text;
begin
  loop
    fetch p_cursor into v_found;
    exit when not found;
    v_count := v_count + 1;
    if v_count > p_at_most then
      raise exception using
        errcode = 'AR006',
        message = pg_catalog.format('limit changed_rows reached: the statement changes more than %s rows; nothing was changed', p_at_most);
    end if;
    if v_cut is null then
      v_json := null;
      -- What is far too long is not even looked into.
      if pg_catalog.pg_column_size(v_found) <= 4194304 then
        v_json := pg_catalog.to_json(v_found);
      end if;
      if pg_catalog.pg_column_size(v_json) <= 4194304 then
        if v_count = 1 then
          v_columns := (select pg_catalog.json_agg(k.key order by k.ordinality)
                        from pg_catalog.json_object_keys(v_json) with ordinality k (key, ordinality));
        end if;
        v_row := private.result_row(v_json, 4000);
        v_bytes := v_bytes + pg_catalog.octet_length(v_row::text);
      else
        v_bytes := p_bytes + 1::bigint;
      end if;
      v_cut := case when v_count > p_rows then 'rows' when v_bytes > p_bytes then 'bytes'
                    when pg_catalog.clock_timestamp() > p_until then 'seconds' end;
      if v_cut is null then
        v_rows := v_rows || v_row;
      end if;
    end if;
    -- Of a change all are counted.
    exit when v_cut is not null and p_at_most is null;
  end loop;
  close p_cursor;
  return pg_catalog.json_build_object(
    'columns', coalesce(v_columns, '[]'), 'rows', pg_catalog.array_to_json(v_rows), 'cut', v_cut,
    'row_count', case when p_at_most is not null then v_count else pg_catalog.cardinality(v_rows) end
  );
end
$$;
comment on function private.read_rows(refcursor, integer, integer, bigint, timestamptz) is
  'Reads up to p_rows rows and p_bytes bytes, each value up to 4,000 characters: {"columns", "rows": arrays of values, "row_count", "cut": '
  'the limit that was reached}. With p_at_most more rows than that are an error, and all are counted.';

create or replace function private.run_query(p_sql text, p_rows integer, p_bytes integer, p_until timestamptz) returns json
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_cursor refcursor;
begin
  perform private.require_statement(p_sql, false);
  perform pg_catalog.set_config('transaction_read_only', 'on', true);
  perform pg_catalog.set_config('search_path', 'pg_catalog, public, pg_temp', true);
  open v_cursor no scroll for execute p_sql;
  return private.read_rows(v_cursor, p_rows, p_bytes, null, p_until);
end
$$;
comment on function private.run_query(text, integer, integer, timestamptz) is
  'Runs a statement that reads, as agent_query. Leaves the transaction read-only: whoever calls it undoes that.';

create or replace function private.lock_acting_task() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform from public.tasks t
  join private.acting a on a.task_id = t.id
  where a.xid = pg_catalog.pg_current_xact_id_if_assigned()
  for no key update of t;
end
$$;

create or replace function private.settle_constraints() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- The task's row is locked before the audit's head is, as everywhere.
  perform private.lock_acting_task();
  set constraints all immediate;
end
$$;
comment on function private.settle_constraints() is
  'Runs what is deferred now, while it is known for whom, and with agent_query''s rights: a table''s own trigger gets no others.';

create or replace function private.run_change(p_sql text, p_rows integer, p_bytes integer, p_at_most bigint) returns json
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_cursor refcursor;
  v_returns boolean := true;
  v_count bigint;
begin
  perform private.require_statement(p_sql, true);
  perform pg_catalog.set_config('search_path', 'pg_catalog, public, pg_temp', true);
  begin
    open v_cursor no scroll for execute p_sql;
  exception when invalid_cursor_definition then
    v_returns := false;  -- it has no RETURNING
  end;
  if v_returns then
    perform private.settle_constraints();
    return private.read_rows(v_cursor, p_rows, p_bytes, p_at_most);
  end if;
  execute p_sql;
  get diagnostics v_count = row_count;
  perform private.settle_constraints();
  if v_count > p_at_most then
    raise exception using
      errcode = 'AR006',
      message = pg_catalog.format('limit changed_rows reached: the statement changes %s rows, at most %s are taken; nothing was changed',
                                  v_count, p_at_most);
  end if;
  return pg_catalog.json_build_object('columns', '[]'::json, 'rows', '[]'::json, 'row_count', v_count, 'cut', null);
end
$$;
comment on function private.run_change(text, integer, integer, bigint) is 'Runs a statement that changes rows, as agent_query.';

create or replace function private.act_for(p_task public.tasks) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into private.acting (xid, user_id, task_id) values (pg_catalog.pg_current_xact_id(), p_task.user_id, p_task.id);
  -- For policies and functions that ask auth.uid().
  perform pg_catalog.set_config(
    'request.jwt.claims', jsonb_build_object('sub', p_task.user_id, 'role', 'authenticated', 'aud', 'authenticated')::text, true
  );
  perform pg_catalog.set_config('request.jwt.claim.sub', p_task.user_id::text, true);
  perform pg_catalog.set_config('request.jwt.claim.role', 'authenticated', true);
  perform pg_catalog.set_config('request.jwt.claim', '', true);
end
$$;

create or replace function private.held_task(p_task uuid, p_lease uuid) returns public.tasks
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks;
begin
  select * into v_task from public.tasks t where t.id = p_task;
  if not found or v_task.status <> 'running' or v_task.lease_token is distinct from p_lease then
    raise exception using errcode = 'AR001', message = format('the lease on task %s is lost', p_task);
  end if;
  return v_task;
end
$$;
comment on function private.held_task(uuid, uuid) is
  'The task, or AR001. Locks nothing: while a statement runs the lease has to be renewed.';

create or replace function public.worker_query(
  p_task uuid, p_lease uuid, p_sql text, p_rows integer default 200, p_bytes integer default 65536, p_seconds integer default 15
) returns json
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
  v_task public.tasks := private.held_task(p_task, p_lease);
  -- Nothing else would end it. Of the limits that a function can set, this alone counts from now on (Postgres 17 and later); it ends
  -- the session, too.
  v_unbounded constant boolean :=
    current_setting('statement_timeout') = '0' and current_setting('transaction_timeout', true) = '0';
  v_seconds constant integer := greatest(1, least(p_seconds, 600));
  v_result json;
  v_state text;
  v_message text;
  v_hint text;
begin
  if v_unbounded then
    perform pg_catalog.set_config('transaction_timeout', v_seconds + 1 || 's', true);
  end if;
  begin
    perform private.act_for(v_task);
    v_result := private.run_query(
      p_sql, least(p_rows, 1000), least(p_bytes, 1048576), clock_timestamp() + make_interval(secs => v_seconds)
    );
    -- Undoes whatever there is to undo; the result is in a variable.
    raise exception using errcode = 'AR900';
  exception
    when sqlstate 'AR900' then
      null;
    when query_canceled or others then
      get stacked diagnostics v_state = returned_sqlstate, v_message = message_text, v_hint = pg_exception_hint;
      v_result := private.statement_failed(v_state, v_message, v_hint);
  end;
  perform pg_catalog.pg_advisory_unlock_all();
  if v_unbounded then
    perform pg_catalog.set_config('transaction_timeout', '0', true);
  end if;
  perform private.held_task(p_task, p_lease);
  return coalesce(v_result, private.statement_failed('XX000', 'the statement gave nothing', ''));
end
$$;
comment on function public.worker_query(uuid, uuid, text, integer, integer, integer) is
  'Runs one SELECT as the task''s owner, read-only, and undoes everything but its result: {"columns", "rows", "row_count", "cut"} or '
  '{"error", "sqlstate", "hint"}.';

create or replace function private.statement_failed(p_state text, p_message text, p_hint text) returns json
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select json_build_object('error', left(p_message, 2000), 'sqlstate', p_state, 'hint', nullif(left(p_hint, 1000), ''))
$$;

create or replace function public.worker_execute(
  p_task uuid, p_lease uuid, p_execution uuid, p_rows integer default 200, p_bytes integer default 65536,
  p_at_most bigint default 1000
) returns json
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
  v_task public.tasks := private.held_task(p_task, p_lease);
  v_sql text;
  v_result json;
  v_state text;
  v_message text;
  v_hint text;
begin
  -- What runs is what is on record, and so what was approved: the triggers let no call run that needed approval and has none.
  select e.input_parameters ->> 'sql' into v_sql
  from public.tool_executions e
  join public.tools t on t.id = e.tool_id
  where e.id = p_execution and e.task_id = p_task and e.status = 'running' and t.name = 'db_execute';
  if v_sql is null then
    raise exception using
      errcode = 'AR002', message = format('task %s has no tool execution %s of db_execute that runs', p_task, p_execution);
  end if;
  -- Waits for an earlier try that still runs.
  insert into private.executed_statements (execution_id, result) values (p_execution, '{}') on conflict (execution_id) do nothing;
  if not found then
    return (select s.result from private.executed_statements s where s.execution_id = p_execution);
  end if;
  begin
    perform private.act_for(v_task);
    v_result := private.run_change(v_sql, least(p_rows, 1000), least(p_bytes, 1048576), least(p_at_most, 1000000));
    delete from private.acting a where a.xid = pg_catalog.pg_current_xact_id();
    perform pg_catalog.set_config(s.name, '', true)
    from unnest(array['request.jwt.claims', 'request.jwt.claim.sub', 'request.jwt.claim.role']) s (name);
  exception when query_canceled or others then
    get stacked diagnostics v_state = returned_sqlstate, v_message = message_text, v_hint = pg_exception_hint;
    v_result := private.statement_failed(v_state, v_message, v_hint);
  end;
  update private.executed_statements s set result = v_result where s.execution_id = p_execution;
  -- A worker that lost its lease meanwhile changed nothing.
  perform private.leased_task(p_task, p_lease);
  return v_result;
end
$$;
comment on function public.worker_execute(uuid, uuid, uuid, integer, integer, bigint) is
  'Runs the one INSERT, UPDATE, DELETE or MERGE that is on record as the argument `sql` of a running call of db_execute, as the task''s owner, '
  'once: called again it answers the same. Commits if the lease is still held at the end. Answers as worker_query does.';

-- The functions that run what a tool sends belong to the role as which it runs.
do $$
declare
  v_function text;
begin
  if not exists (
    select from pg_catalog.pg_proc p
    where p.oid = 'private.run_change(text, integer, integer, bigint)'::regprocedure and p.proowner = 'agent_query'::regrole
  ) then
    grant create on schema private to agent_query;
    foreach v_function in array array[
      'run_query(text, integer, integer, timestamptz)', 'run_change(text, integer, integer, bigint)'
    ] loop
      execute format('alter function private.%s owner to agent_query', v_function);
    end loop;
    revoke create on schema private from agent_query;
  end if;
end
$$;
