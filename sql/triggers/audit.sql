-- The audit: every change of every table, who made it, what was before and after. Switched by enable_audit_logging, which is
-- itself always on record.
--
-- The triggers are deferred: a change is written down when its transaction ends, chained to what the tenant's chain has then
-- (functions/audit.sql). Who acted is read then, too; a transaction in which several act calls private.write_audit() between.
--
-- Not audited: audit_logs itself and its chain; task_events, whose rows are made of audited changes; lease renewals, worker
-- heartbeats and usage counts, which are the runtime's pulse and not decisions.

-- One per statement of a step, several times per step: each branch is taken only where its row can need it.
create or replace function private.audit() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_old jsonb;
  v_new jsonb;
  v_row jsonb;
  v_uid uuid;
  v_user uuid;
  v_actor text;
  v_ip inet;
  v_agent text;
  v_tenant uuid;
  v_left uuid;  -- whose chain a row went from
  v_always boolean := false;
begin
  if tg_op = 'DELETE' then
    v_old := to_jsonb(old);
    v_row := v_old;
  elsif tg_op = 'INSERT' then
    if tg_table_name = 'tasks' then
      new.search := null;
    end if;
    v_new := to_jsonb(new);
    v_row := v_new;
  else
    if tg_table_name = 'tasks' then
      -- Renewals and usage counts.
      if new.status = old.status and (
        new.lease_expires_at is distinct from old.lease_expires_at
        or (new.usage is distinct from old.usage and new.tainted = old.tainted)
      ) then
        return null;
      end if;
      -- A lease is a secret while it lasts and nothing afterwards; the words are in title and description.
      old.lease_token := null;
      new.lease_token := null;
      old.last_release := null;
      new.last_release := null;
      old.search := null;
      new.search := null;
    end if;
    v_row := to_jsonb(new);
    v_old := to_jsonb(old);
    v_left := (v_old ->> 'tenant_id')::uuid;
    select jsonb_object_agg(n.key, v_old -> n.key), jsonb_object_agg(n.key, n.value) into v_old, v_new
    from jsonb_each(v_row) n
    where n.key <> 'updated_at' and n.value is distinct from v_old -> n.key;
    if v_new is null then
      return null;
    end if;
  end if;
  if tg_table_name = 'system_config' then
    if 'true' in (to_jsonb(old) ->> 'is_sensitive', to_jsonb(new) ->> 'is_sensitive')
       or private.sounds_secret(v_row ->> 'config_key') then
      -- That it changed is on record; what it was is not, not even as a digest that could be guessed at.
      v_old := v_old || case when v_old ? 'config_value' then '{"config_value": "***"}'::jsonb else '{}' end;
      v_new := v_new || case when v_new ? 'config_value' then '{"config_value": "***"}'::jsonb else '{}' end;
    end if;
    v_always := 'enable_audit_logging' in (to_jsonb(old) ->> 'config_key', to_jsonb(new) ->> 'config_key');
  end if;
  if tg_nargs > 0 then
    for v_argument in 0 .. tg_nargs - 1 loop
      v_old := v_old || case when v_old -> tg_argv[v_argument] <> 'null' then jsonb_build_object(tg_argv[v_argument], '***') else '{}' end;
      v_new := v_new || case when v_new -> tg_argv[v_argument] <> 'null' then jsonb_build_object(tg_argv[v_argument], '***') else '{}' end;
    end loop;
  end if;
  -- private.claimed() reads these, and costs more than looking whether there is anything to read.
  if coalesce(current_setting('request.jwt.claims', true), '') <> ''
     or coalesce(current_setting('request.jwt.claim.sub', true), '') <> ''
     or exists (select from private.acting) then
    v_uid := private.claimed();
  end if;
  if v_uid is not null then
    -- Locked before the head is, since the foreign key locks it after: an account that is being deleted is waited for here.
    select u.id into v_user from public.users u where u.id = v_uid for key share;
    v_actor := 'user:' || v_uid;
  else
    v_actor := coalesce(
      nullif(current_setting('agent_runtime.actor', true), ''),
      'role:' || coalesce(nullif(current_setting('role'), 'none'), session_user)
    );
  end if;
  if coalesce(current_setting('request.headers', true), '') <> '' then
    v_ip := private.request_ip();
    v_agent := left(private.request_header('user-agent'), 1000);
  end if;
  v_tenant := (case when tg_table_name = 'tenants' then v_row ->> 'id' else v_row ->> 'tenant_id' end)::uuid;
  v_old := case when v_old is not null then private.masked(v_old) end;
  v_new := case when v_new is not null then private.masked(v_new) end;
  if v_left <> v_tenant then
    perform private.lock_audit_heads(array[v_left, v_tenant]);
    perform private.append_audit(
      v_left, v_user, v_actor, lower(tg_op), tg_table_name, (v_row ->> 'id')::uuid, v_old, v_new, v_ip, v_agent, v_always
    );
  end if;
  perform private.append_audit(
    v_tenant, v_user, v_actor, lower(tg_op), tg_table_name, (v_row ->> 'id')::uuid, v_old, v_new, v_ip, v_agent, v_always
  );
  return null;
end
$$;

-- What private.audit_event() was told.
create or replace function private.audit_told() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if new.action = 'sign_in' then
    perform private.append_sign_in(new);
  else
    perform private.append_audit(
      new.tenant_id, new.user_id, new.actor, new.action, new.resource_type, new.resource_id, null, new.new_values, new.ip_address,
      new.user_agent, false
    );
  end if;
  return null;
end
$$;

-- Auth says of a sign-in that last_sign_in_at changed; nothing that goes wrong here may keep anybody from it.
create or replace function private.append_sign_in(p_event private.audit_events) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
  perform private.append_audit(
    p_event.tenant_id, p_event.user_id, p_event.actor, p_event.action, p_event.resource_type, p_event.resource_id, null, null,
    p_event.ip_address, p_event.user_agent, false
  );
exception when others then
  raise warning 'a sign-in is not on record: %', sqlerrm;
end
$$;

create or replace function private.follow_sign_in() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform private.audit_event('sign_in', 'users', u.id, null, u.tenant_id, 'user:' || u.id)
  from public.users u where u.id = new.id;
  return new;
exception when others then
  raise warning 'a sign-in is not on record: %', sqlerrm;
  return new;
end
$$;

create or replace function private.request_header(p_name text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select nullif(current_setting('request.headers', true), '')::jsonb ->> p_name
$$;

create or replace function private.request_ip() returns inet
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_forwarded text := btrim(split_part(private.request_header('x-forwarded-for'), ',', 1));
begin
  if v_forwarded is null or not v_forwarded ~ '^[0-9a-fA-F.:]+$' then
    return null;
  end if;
  return v_forwarded::inet;
exception when invalid_text_representation then
  return null;  -- a header is whatever a client sends
end
$$;

-- Switched off, it still has what this transaction changed before.
create or replace function private.write_audit_first() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform private.write_audit();
  return new;
end
$$;
create or replace trigger audit_before_switch
  before update on public.system_config for each row
  when (old.config_key = 'enable_audit_logging' and old.config_value is distinct from new.config_value)
  execute function private.write_audit_first();

do $$
begin
  if exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = 'auth.users'::regclass and a.attname = 'last_sign_in_at' and not a.attisdropped
  ) then
    create or replace trigger agent_runtime_sign_in
      after update of last_sign_in_at on auth.users for each row
      when (new.last_sign_in_at is distinct from old.last_sign_in_at) execute function private.follow_sign_in();
  end if;
end
$$;

do $$
declare
  v_table text;
begin
  foreach v_table in array array[
    'tenants', 'users', 'agents', 'conversations', 'messages', 'tasks', 'tool_executions', 'execution_decisions', 'files',
    'system_config', 'invitations'
  ] loop
    perform private.attach_audit(('public.' || v_table)::regclass);
  end loop;
  perform private.attach_audit('public.tools', 'new.usage_count is not distinct from old.usage_count');
  perform private.attach_audit('public.credentials', 'new.last_used_at is not distinct from old.last_used_at');
  perform private.attach_audit('public.workers', 'new.stopped_at is distinct from old.stopped_at');
  if to_regclass('public.credentials') is not null then
    -- That one was read is told by the vault.
    perform private.attach_audit('public.credentials', 'new.last_used_at is not distinct from old.last_used_at');
  end if;
  if not exists (
    select from pg_catalog.pg_trigger t where t.tgrelid = 'private.audit_events'::regclass and t.tgname = 'audit'
  ) then
    create constraint trigger audit after insert on private.audit_events
      deferrable initially deferred for each row execute function private.audit_told();
  end if;

  perform private.make_audit_months();
  -- That this version was installed just now.
  perform private.audit_event('install', 'schema_version', null, jsonb_build_object('version', max(v.version)), null)
  from private.schema_version v
  where v.installed_at = now()
  having count(*) > 0;
end
$$;
