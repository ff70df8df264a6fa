-- The audit is kept by month: a partition for each, made ahead, and dropped whole when it is retired, which leaves a signed stub.

create or replace function private.keep_audit() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
begin
  if tg_level = 'ROW' and tg_op = 'UPDATE' and tg_argv[0] = 'but for user_id' and pg_catalog.pg_trigger_depth() > 1 then
    -- An account was deleted: the entry stays, its actor still says whose it was.
    if to_jsonb(new) ->> 'user_id' is null and to_jsonb(new) - 'user_id' = to_jsonb(old) - 'user_id' then
      return new;
    end if;
  end if;
  raise exception using errcode = '42501', message = format('%s is append-only', case when tg_table_name like 'audit\_logs%' then 'audit_logs' else tg_table_name end);
end
$$;

-- Not a condition of the trigger, which Postgres would parse anew for each statement.
create or replace function private.from_audit_alone() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
begin
  if pg_catalog.pg_trigger_depth() > 1 and tg_op <> 'DELETE' then
    return new;
  end if;
  raise exception using
    errcode = '42501',
    message = format('%s is written by the audit alone', case when tg_table_name like 'audit\_logs%' then 'audit_logs' else tg_table_name end);
end
$$;

create or replace function private.audit_month_name(p_day date) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select 'private.audit_logs_' || to_char(p_day, 'YYYY_MM')
$$;

create or replace function private.make_audit_month(p_day date) returns boolean
language plpgsql security invoker set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  v_name constant text := private.audit_month_name(p_day);
  v_start constant timestamptz := date_trunc('month', p_day::timestamptz);
  v_end constant timestamptz := v_start + interval '1 month';
begin
  if to_regclass(v_name) is not null then
    return false;
  end if;
  execute format('create table %s (like public.audit_logs including defaults including constraints)', v_name);
  execute format('alter table %s enable row level security', v_name);
  execute format(
    'create trigger append_only_truncate before truncate on %s for each statement execute function private.keep_audit()', v_name
  );
  if exists (select from private.audit_logs_rest l where l.created_at >= v_start and l.created_at < v_end) then
    -- They came while there was no partition for them.
    lock table private.audit_logs_rest in access exclusive mode;
    execute format('insert into %s select * from private.audit_logs_rest l where l.created_at >= $1 and l.created_at < $2', v_name)
      using v_start, v_end;
    alter table private.audit_logs_rest disable trigger user;
    delete from private.audit_logs_rest l where l.created_at >= v_start and l.created_at < v_end;
    alter table private.audit_logs_rest enable trigger user;
  end if;
  -- Attached, because one that is created as a partition keeps everybody from writing meanwhile.
  execute format('alter table public.audit_logs attach partition %s for values from (%L) to (%L)', v_name, v_start, v_end);
  return true;
end
$$;
comment on function private.make_audit_month(date) is 'The partition of a month, by UTC; false where it is there already.';

create or replace function private.make_audit_months() returns void
language plpgsql security invoker set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
begin
  for v_ahead in 0..3 loop
    perform private.make_audit_month((now() + make_interval(months => v_ahead))::date);
  end loop;
end
$$;

create or replace function private.keep_audit_months() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set lock_timeout = '2s' as $$
begin
  -- Nearly always.
  if to_regclass(private.audit_month_name((now() + interval '2 months')::date)) is not null
     or not pg_catalog.pg_try_advisory_xact_lock(4204) then
    return;
  end if;
  perform private.make_audit_months();
exception when others then
  -- The next reap tries again, and until then there is a partition that takes every row.
  raise warning 'the audit''s partitions are made later: %', sqlerrm;
end
$$;
comment on function private.keep_audit_months() is 'Makes the coming months'' partitions, once a month, and fails nobody who calls it.';

-- Retiring a month, as the owner: begin, sign what audit_month_stubs() gives, finish, in one transaction. --------------------------

create or replace function private.audit_stub_text(p_stub private.audit_stubs) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select json_build_array(
    'agent-runtime audit stub', nullif(p_stub.chain, private.audit_chain(null)), to_char(p_stub.month, 'YYYY-MM'), p_stub.first_seq,
    p_stub.last_seq, p_stub.row_count, encode(p_stub.prev_hash, 'hex'), encode(p_stub.hash, 'hex'),
    to_char(p_stub.dropped_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), p_stub.actor, p_stub.key_id
  )::text
$$;
comment on function private.audit_stub_text(private.audit_stubs) is 'What is signed of a stub: a JSON array.';

create or replace function private.audit_month_stubs(p_month date, p_key_id text) returns setof private.audit_stubs
language plpgsql stable security invoker set search_path = pg_catalog, pg_temp as $$
begin
  return query execute format(
    $q$
      select private.audit_chain(l.tenant_id), $1, min(l.chain_seq), max(l.chain_seq), count(*),
             (array_agg(l.prev_hash order by l.chain_seq))[1], (array_agg(l.hash order by l.chain_seq desc))[1], now(),
             private.audit_actor(), $2, null::bytea
      from %s l
      group by l.tenant_id
      order by 1
    $q$, private.audit_month_name(p_month)
  ) using p_month, p_key_id;
end
$$;
comment on function private.audit_month_stubs(date, text) is
  'What would be left of a month, unsigned; the same however often it is asked in a transaction.';

create or replace function private.begin_retiring(p_month date) returns void
language plpgsql security invoker set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
begin
  if p_month >= date_trunc('month', now())::date then
    raise exception using
      errcode = 'AR005', message = format('%s is not over: only a month that has passed is retired', to_char(p_month, 'YYYY-MM'));
  end if;
  if exists (select from public.audit_logs l where l.created_at < p_month::timestamptz) then
    raise exception using
      errcode = 'AR005',
      message = format('%s goes first: months are retired from the oldest on',
                       (select to_char(min(l.created_at), 'YYYY-MM') from public.audit_logs l));
  end if;
  perform private.make_audit_month(p_month);
  execute format('lock table %s in share row exclusive mode', private.audit_month_name(p_month));
end
$$;

create or replace function private.finish_retiring(p_month date, p_key_id text, p_signatures jsonb) returns bigint
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
declare
  v_rows bigint;
begin
  insert into private.audit_stubs
  select s.chain, s.month, s.first_seq, s.last_seq, s.row_count, s.prev_hash, s.hash, s.dropped_at, s.actor, s.key_id,
         decode(p_signatures ->> s.chain::text, 'hex')
  from private.audit_month_stubs(p_month, p_key_id) s;
  select coalesce(sum(s.row_count), 0)::bigint into v_rows from private.audit_stubs s where s.month = p_month;
  perform private.audit_event(
    'retire', 'audit_logs', null, jsonb_build_object('month', to_char(p_month, 'YYYY-MM'), 'rows', v_rows, 'key_id', p_key_id), null
  );
  -- The platform's head before the lock of the whole table: whoever appends takes them in that order.
  perform private.write_audit();
  execute format('drop table %s', private.audit_month_name(p_month));
  return v_rows;
end
$$;
