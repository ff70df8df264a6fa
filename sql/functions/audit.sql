-- The audit's chain: what is hashed, and appending to it. Verified in audit_check.sql, kept by month in audit_months.sql.
--
-- Every audited change is turned into a row of audit_logs when its transaction ends, by triggers that are deferred till then
-- (triggers/audit.sql). Only there is the head of the tenant's chain locked, so that nobody waits for a tenant's chain longer
-- than a commit takes, and who holds a head waits for nothing but another head.

create or replace function private.audit_text(
  p_tenant uuid, p_seq bigint, p_id uuid, p_created_at timestamptz, p_actor text, p_action text, p_type text, p_resource uuid,
  p_old jsonb, p_new jsonb, p_ip inet, p_agent text
) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return json_build_array(
    p_tenant, p_seq, p_id, to_char(p_created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), p_actor, p_action, p_type,
    p_resource, p_old, p_new, p_ip, p_agent
  )::text;
end
$$;
comment on function private.audit_text(uuid, bigint, uuid, timestamptz, text, text, text, uuid, jsonb, jsonb, inet, text) is
  'What a row''s hash is made of: a JSON array. Without user_id, which goes with the account; the actor says the same and stays.';

create or replace function private.audit_text(p_row public.audit_logs) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return private.audit_text(
    p_row.tenant_id, p_row.chain_seq, p_row.id, p_row.created_at, p_row.actor, p_row.action, p_row.resource_type, p_row.resource_id,
    p_row.old_values, p_row.new_values, p_row.ip_address, p_row.user_agent
  );
end
$$;

create or replace function private.audit_hash(p_prev_hash bytea, p_text text) returns bytea
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return sha256(p_prev_hash || convert_to(p_text, 'UTF8'));
end
$$;

create or replace function private.audit_genesis() returns bytea
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select decode(repeat('00', 32), 'hex')
$$;
comment on function private.audit_genesis() is 'What stands for the hash before the first row of a chain.';

create or replace function private.audit_chain(p_tenant uuid) returns uuid
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select coalesce(p_tenant, '00000000-0000-0000-0000-000000000000')
$$;

-- One statement per row, planned once. It locks the head, and sees what another transaction appended meanwhile; where it changed nothing, there is
-- no head yet, the audit is switched off, or another was faster.
--
-- Where a transaction left the head's row is remembered, because each row of a large transaction leaves a dead version of it behind,
-- and looking for the last by its key goes through all of them. Whoever meddles with that memory harms the own transaction alone.
create or replace function private.append_audit(
  p_tenant uuid, p_user uuid, p_actor text, p_action text, p_type text, p_resource uuid, p_old jsonb, p_new jsonb, p_ip inet,
  p_agent text, p_always boolean
) returns void
language plpgsql security invoker set search_path = pg_catalog, pg_temp
set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  v_chain constant uuid := coalesce(p_tenant, '00000000-0000-0000-0000-000000000000');
  v_id constant uuid := gen_random_uuid();
  v_now constant timestamptz := clock_timestamp();
  v_place text := current_setting('agent_runtime.audit_place', true);
begin
  loop
    with head as (
      update private.audit_heads h
      set chain_seq = h.chain_seq + 1,
          created_at = greatest(v_now, h.created_at),
          prev_hash = h.hash,
          hash = sha256(h.hash || convert_to(private.audit_text(
            p_tenant, h.chain_seq + 1, v_id, greatest(v_now, h.created_at), p_actor, p_action, p_type, p_resource, p_old, p_new,
            p_ip, p_agent
          ), 'UTF8'))
      where h.chain = v_chain
        and h.ctid = (
          select coalesce(
            (select p.ctid from private.audit_heads p where p.ctid = nullif(v_place, '')::tid and p.chain = v_chain),
            (select k.ctid from private.audit_heads k where k.chain = v_chain)
          )
        )
        and (
          p_always
          or not exists (
            select from public.system_config c where c.config_key = 'enable_audit_logging' and c.config_value <> 'true'::jsonb
          )
        )
      returning h.ctid as place, h.chain_seq, h.created_at, h.prev_hash, h.hash
    ),
    written as (
      insert into public.audit_logs (
        id, user_id, action, resource_type, resource_id, old_values, new_values, ip_address, user_agent, created_at, tenant_id,
        actor, prev_hash, hash, chain_seq
      )
      select
        v_id, p_user, p_action, p_type, p_resource, p_old, p_new, p_ip, p_agent, h.created_at, p_tenant, p_actor, h.prev_hash,
        h.hash, h.chain_seq
      from head h
    )
    select h.place::text into v_place from head h;
    if found then
      v_place := set_config('agent_runtime.audit_place', v_place, true);
      return;
    elsif not p_always and exists (
      select from public.system_config c where c.config_key = 'enable_audit_logging' and c.config_value <> 'true'::jsonb
    ) then
      return;
    end if;
    insert into private.audit_heads (chain, chain_seq, created_at, prev_hash, hash)
    values (v_chain, 0, '-infinity', private.audit_genesis(), private.audit_genesis())
    on conflict do nothing;
  end loop;
end
$$;

create or replace function private.lock_audit_heads(p_tenants uuid[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if cardinality(p_tenants) < 2 then
    return;
  end if;
  perform from private.audit_heads h
  where h.chain in (select private.audit_chain(t) from unnest(p_tenants) t)
  order by h.chain
  for no key update;
end
$$;
comment on function private.lock_audit_heads(uuid[]) is
  'For a function that changes rows of several tenants, as its last statement: two that lock the same chains in the same order never '
  'wait for each other in a circle.';

create or replace function private.write_audit() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  set constraints public.audit, public.audit_update, private.audit immediate;
  set constraints public.audit, public.audit_update, private.audit deferred;
end
$$;
comment on function private.write_audit() is
  'Writes what this transaction owes the audit now, as who acts now: before somebody else acts in the same transaction. Last of all, '
  'because from here on the chain of the tenant is locked.';

create or replace function private.audit_actor() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_user constant uuid := private.claimed();
begin
  if v_user is not null then
    return 'user:' || v_user;
  end if;
  return coalesce(
    nullif(current_setting('agent_runtime.actor', true), ''),
    'role:' || coalesce(nullif(current_setting('role'), 'none'), session_user)
  );
end
$$;

create or replace function private.audit_event(
  p_action text, p_type text, p_id uuid, p_values jsonb, p_tenant uuid, p_actor text default null
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_event bigint;
begin
  insert into private.audit_events (tenant_id, user_id, actor, action, resource_type, resource_id, new_values, ip_address, user_agent)
  values (
    p_tenant, (select u.id from public.users u where u.id = private.claimed()), coalesce(p_actor, private.audit_actor()),
    left(p_action, 100), left(p_type, 100), p_id, private.masked(p_values), private.request_ip(),
    left(private.request_header('user-agent'), 1000)
  )
  returning id into v_event;
  -- Its trigger has it all the same, when the transaction ends.
  delete from private.audit_events e where e.id = v_event;
end
$$;
comment on function private.audit_event(text, text, uuid, jsonb, uuid, text) is
  'Records what is no change of an audited row: a vault''s secret that was read, a sign-in, a command. Secrets in p_values are masked; '
  'p_tenant null is the platform. For functions of ours alone.';

create or replace function private.attach_audit(
  p_table regclass, p_update_when text default null, p_secret text[] default '{}'
) returns void
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
declare
  v_arguments constant text := (select coalesce(string_agg(quote_literal(s), ', '), '') from unnest(p_secret) s);
  v_wanted jsonb := case
    when p_update_when is null then '{"audit": "insert or update or delete"}'
    else jsonb_build_object('audit', 'insert or delete', 'audit_update', 'update')
  end;
  v_name text;
  v_events text;
begin
  if exists (
    select from pg_catalog.pg_attribute a where a.attrelid = p_table and a.attname = 'id' and a.atttypid <> 'uuid'::regtype
  ) then
    raise exception '%.id is no uuid: the audit could not name its rows', p_table;
  end if;
  -- Those of an earlier release wrote at once.
  for v_name in
    select t.tgname::text from pg_catalog.pg_trigger t
    where t.tgrelid = p_table and t.tgname in ('audit', 'audit_update') and not t.tgdeferrable
  loop
    execute format('drop trigger %I on %s', v_name, p_table);
  end loop;
  for v_name, v_events in select * from jsonb_each_text(v_wanted) loop
    if not exists (select from pg_catalog.pg_trigger t where t.tgrelid = p_table and t.tgname = v_name) then
      execute format(
        'create constraint trigger %I after %s on %s deferrable initially deferred for each row %s execute function private.audit(%s)',
        v_name, v_events, p_table, case when v_name = 'audit_update' then format('when (%s)', p_update_when) else '' end, v_arguments
      );
    end if;
  end loop;
end
$$;
comment on function private.attach_audit(regclass, text, text[]) is
  'Audits a table: every insert, delete and update, or those updates alone for which p_update_when holds (of old and new). The columns '
  'in p_secret are recorded as "***". The chain is that of the row''s tenant_id.';
