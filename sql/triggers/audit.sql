-- The audit: every change of every table, who made it, what was before and after. Switched by enable_audit_logging.
--
-- Not audited: audit_logs itself; task_events, whose rows are made of audited changes; lease renewals, worker heartbeats and
-- usage counts, which are the runtime's pulse and not decisions. Long texts are recorded as their digest and length, since
-- the row itself is kept; values under names that sound secret, and sensitive configuration, as "***".

create or replace function private.masked(p_value jsonb, p_depth integer default 0) returns jsonb
language plpgsql immutable set search_path = '' as $$
declare
  v_text text := p_value::text;
begin
  -- Nearly every change passes here: nothing so long that a text in it could be too long, nothing named like a secret.
  if length(v_text) <= 1024
     and v_text !~* '(passwd|password|secret|token|authorization|credentials?|cookie|(api|private)[-_. ]?key)":' then
    return p_value;
  end if;
  -- What a model or a client nested deeper than anything meant would exhaust the server's stack here, and stop the write.
  if p_depth > 32 then
    return jsonb_build_object('sha256', private.digest(p_value), 'length', length(v_text));
  end if;
  case jsonb_typeof(p_value)
    when 'object' then
      return (
        select coalesce(
          jsonb_object_agg(
            e.key,
            case
              when jsonb_typeof(e.value) = 'null' then e.value
              -- The cheap test first: this runs for every value of the change.
              when e.key ~* '(pass|secret|token|key|auth|cred|cookie)' and private.sounds_secret(e.key) then '"***"'::jsonb
              when jsonb_typeof(e.value) in ('object', 'array') or length(e.value #>> '{}') > 1024
                then private.masked(e.value, p_depth + 1)
              else e.value
            end
          ), '{}'
        )
        from jsonb_each(p_value) e
      );
    when 'array' then
      return (select coalesce(jsonb_agg(private.masked(a.value, p_depth + 1)), '[]') from jsonb_array_elements(p_value) a);
    when 'string' then
      if length(p_value #>> '{}') > 1024 then
        return jsonb_build_object('sha256', private.digest(p_value), 'length', length(p_value #>> '{}'));
      end if;
      return p_value;
    else
      return p_value;
  end case;
end
$$;

create or replace function private.sounds_secret(p_name text) returns boolean
language sql immutable set search_path = '' as $$
  -- accessToken, access-token and access_token alike.
  select lower(translate(regexp_replace(p_name, '([a-z0-9])([A-Z])', '\1_\2', 'g'), '-. ', '___'))
    ~ '(^|_)(password|passwd|secret|token|api_?key|authorization|credentials?|cookie|private_key)$'
$$;

-- One per statement of a step, several times per step: each branch is taken only where its row can need it.
create or replace function private.audit() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_old jsonb;
  v_new jsonb;
  v_row jsonb;
  v_uid uuid;
  v_user uuid;
  v_actor text;
  v_ip inet;
  v_agent text;
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
    select jsonb_object_agg(n.key, v_old -> n.key), jsonb_object_agg(n.key, n.value) into v_old, v_new
    from jsonb_each(v_row) n
    where n.key <> 'updated_at' and n.value is distinct from v_old -> n.key;
    if v_new is null then
      return null;
    end if;
  end if;
  if tg_table_name = 'system_config' and (
    'true' in (to_jsonb(old) ->> 'is_sensitive', to_jsonb(new) ->> 'is_sensitive') or private.sounds_secret(v_row ->> 'config_key')
  ) then
    -- That it changed is on record; what it was is not, not even as a digest that could be guessed at.
    v_old := v_old || case when v_old ? 'config_value' then '{"config_value": "***"}'::jsonb else '{}' end;
    v_new := v_new || case when v_new ? 'config_value' then '{"config_value": "***"}'::jsonb else '{}' end;
  end if;
  -- auth.uid() reads one of the two, and costs more than looking whether there is anything to read.
  if coalesce(current_setting('request.jwt.claims', true), '') <> ''
     or coalesce(current_setting('request.jwt.claim.sub', true), '') <> '' then
    v_uid := auth.uid();
  end if;
  if v_uid is not null then
    select u.id into v_user from public.users u where u.id = v_uid;
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
  insert into public.audit_logs (
    user_id, actor, action, resource_type, resource_id, old_values, new_values, ip_address, user_agent, tenant_id
  )
  select
    v_user, v_actor, lower(tg_op), tg_table_name, (v_row ->> 'id')::uuid,
    case when v_old is not null then private.masked(v_old) end,
    case when v_new is not null then private.masked(v_new) end,
    v_ip, v_agent,
    case when tg_table_name = 'tenants' then (v_row ->> 'id')::uuid else (v_row ->> 'tenant_id')::uuid end
  where not exists (
    select from public.system_config c where c.config_key = 'enable_audit_logging' and c.config_value <> 'true'::jsonb
  );
  return null;
end
$$;

create or replace function private.request_header(p_name text) returns text
language sql stable set search_path = '' as $$
  select nullif(current_setting('request.headers', true), '')::jsonb ->> p_name
$$;

create or replace function private.request_ip() returns inet
language plpgsql stable set search_path = '' as $$
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

create or replace trigger audit after insert or update or delete on public.tenants
  for each row execute function private.audit();
create or replace trigger audit after insert or update or delete on public.users
  for each row execute function private.audit();
create or replace trigger audit after insert or update or delete on public.agents
  for each row execute function private.audit();
create or replace trigger audit after insert or update or delete on public.conversations
  for each row execute function private.audit();
create or replace trigger audit after insert or update or delete on public.messages
  for each row execute function private.audit();
create or replace trigger audit after insert or update or delete on public.tool_executions
  for each row execute function private.audit();
create or replace trigger audit after insert or update or delete on public.execution_decisions
  for each row execute function private.audit();
create or replace trigger audit after insert or update or delete on public.files
  for each row execute function private.audit();
create or replace trigger audit after insert or update or delete on public.system_config
  for each row execute function private.audit();

create or replace trigger audit after insert or delete on public.tasks
  for each row execute function private.audit();
create or replace trigger audit_update after update on public.tasks for each row execute function private.audit();

create or replace trigger audit after insert or delete on public.tools
  for each row execute function private.audit();
create or replace trigger audit_update after update on public.tools
  for each row when (new.usage_count is not distinct from old.usage_count) execute function private.audit();

create or replace trigger audit after insert or delete on public.workers
  for each row execute function private.audit();
create or replace trigger audit_update after update on public.workers
  for each row when (new.stopped_at is distinct from old.stopped_at) execute function private.audit();

create or replace trigger audit after insert or delete on public.credentials
  for each row execute function private.audit();
create or replace trigger audit_update after update on public.credentials
  for each row when (new.last_used_at is not distinct from old.last_used_at) execute function private.audit();
