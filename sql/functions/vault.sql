-- Putting credentials into the vault, and handing them to the run that may use them. Values never pass here: what is sealed
-- comes and goes sealed, bound to its row, and opens only where the master key is (agent_runtime/vault).

create or replace function private.credential_owner(p_scope text, p_tenant text, out tenant_id uuid, out user_id uuid)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_role constant text := coalesce(nullif(current_setting('role', true), 'none'), session_user);
begin
  -- What a model wrote runs with a person's claims, and is not the person.
  if private.is_acting() then
    raise exception using errcode = '42501', message = 'credentials are for people to change, not for tools';
  end if;
  if v_role = 'service_role' or pg_catalog.pg_has_role(
    v_role, (select c.relowner from pg_catalog.pg_class c where c.oid = 'public.credentials'::regclass), 'MEMBER'
  ) then
    if p_scope = 'tenant' then
      select t.id into credential_owner.tenant_id from public.tenants t where t.id::text = p_tenant or t.slug = p_tenant;
      if credential_owner.tenant_id is null then
        raise exception using errcode = 'AR002', message = format('there is no tenant %s', to_jsonb(left(p_tenant, 100)));
      end if;
    elsif p_scope is distinct from 'global' then
      raise exception using errcode = 'AR005', message = 'a user''s credential is not the operator''s: its user puts it into the vault';
    end if;
    return;
  end if;
  if p_scope = 'user' and (select private.can_write()) then
    select u.home_tenant_id, u.id into credential_owner.tenant_id, credential_owner.user_id
    from public.users u
    where u.id = (select private.me());
  elsif p_scope = 'tenant' and (select private.is_admin()) then
    credential_owner.tenant_id := (select private.my_tenant());
    if not exists (
      select from public.tenants t
      where t.id = credential_owner.tenant_id and coalesce(p_tenant, t.slug) in (t.id::text, t.slug)
    ) then
      raise exception using errcode = '42501', message = 'credentials of a tenant are for its own admins';
    end if;
  else
    raise exception using
      errcode = '42501',
      message = 'people keep credentials of their own, admins those of their tenant, and the operator the global ones';
  end if;
end
$$;
comment on function private.credential_owner(text, text) is
  'Whose a credential is that the caller puts or removes: set by who asks, never by what is asked. Raises 42501.';

create or replace function private.credential_named(p_name text, p_scope text, p_tenant uuid, p_user uuid)
returns public.credentials
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select c
  from public.credentials c
  where c.name = p_name and c.scope = p_scope and c.user_id is not distinct from p_user
    and (p_scope = 'user' or c.tenant_id is not distinct from p_tenant)
$$;

create or replace function public.vault_slot(p_name text, p_scope text, p_tenant text default null) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_owner record := private.credential_owner(p_scope, p_tenant);
  v_row public.credentials := private.credential_named(p_name, p_scope, v_owner.tenant_id, v_owner.user_id);
begin
  if p_name is null or p_name !~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$' then
    raise exception using
      errcode = 'AR005', message = 'that is not a name of a credential: letters, digits, "_", "." and "-", at most 100';
  end if;
  return jsonb_build_object(
    'id', coalesce(v_row.id, gen_random_uuid()), 'tenant_id', coalesce(v_row.tenant_id, v_owner.tenant_id),
    'user_id', v_owner.user_id, 'scope', p_scope, 'name', p_name
  );
end
$$;
comment on function public.vault_slot(text, text, text) is 'The row that a credential of the caller''s has or would have, for the seal to be bound to.';

create or replace function public.vault_put(
  p_id uuid, p_name text, p_scope text, p_tenant text, p_category text, p_ciphertext text, p_wrapped_key text, p_key_id text
) returns public.credentials
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_owner record := private.credential_owner(p_scope, p_tenant);
  v_row public.credentials;
begin
  if (select private.me()) is null then
    insert into private.vault_keys (key_id) values (p_key_id) on conflict do nothing;
  elsif not exists (select from private.vault_keys k where k.key_id = p_key_id) then
    -- A credential that no worker can open would keep every worker from starting.
    raise exception using
      errcode = 'AR005', message = 'AGENT_RUNTIME_VAULT_KEY is not the key that this database''s workers have';
  end if;
  v_row := private.credential_named(p_name, p_scope, v_owner.tenant_id, v_owner.user_id);
  if v_row.id is null then
    insert into public.credentials (id, tenant_id, user_id, name, category, scope, key_id, created_by)
    values (
      p_id, v_owner.tenant_id, v_owner.user_id, p_name, coalesce(nullif(left(p_category, 100), ''), 'general'), p_scope, p_key_id,
      (select private.me())
    )
    on conflict do nothing
    returning * into v_row;
  elsif v_row.id = p_id then
    update public.credentials c
    set category = coalesce(nullif(left(p_category, 100), ''), c.category), key_id = p_key_id, updated_at = now()
    where c.id = p_id
    returning * into v_row;
  end if;
  if v_row.id is distinct from p_id then
    raise exception using errcode = 'AR003', message = 'the credentials were changed meanwhile: try again';
  end if;
  insert into private.sealed_credentials (credential_id, ciphertext, wrapped_key)
  values (p_id, decode(p_ciphertext, 'hex'), decode(p_wrapped_key, 'hex'))
  on conflict (credential_id) do update set ciphertext = excluded.ciphertext, wrapped_key = excluded.wrapped_key;
  return v_row;
end
$$;
comment on function public.vault_put(uuid, text, text, text, text, text, text, text) is
  'Puts a sealed credential into the row that vault_slot named, or replaces what is there. The sealed parts are in hex.';

create or replace function public.vault_list() returns setof public.credentials
language sql stable security invoker set search_path = pg_catalog, pg_temp as $$
  select * from public.credentials c order by c.scope, c.tenant_id, c.user_id, c.name
$$;
comment on function public.vault_list() is 'The credentials that the caller may know of, without their values.';

create or replace function public.vault_remove(p_name text, p_scope text, p_tenant text default null) returns public.credentials
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_owner record := private.credential_owner(p_scope, p_tenant);
  v_row public.credentials;
begin
  delete from public.credentials c
  where c.id = (private.credential_named(p_name, p_scope, v_owner.tenant_id, v_owner.user_id)).id
  returning * into v_row;
  if v_row.id is null then
    raise exception using errcode = 'AR002', message = format('there is no credential named %s', to_jsonb(left(p_name, 100)));
  end if;
  return v_row;
end
$$;

create or replace function public.vault_wrapped(p_key_id text) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(
    jsonb_agg(
      jsonb_build_object(
        'id', c.id, 'tenant_id', c.tenant_id, 'user_id', c.user_id, 'scope', c.scope, 'name', c.name, 'key_id', c.key_id,
        'wrapped_key', encode(s.wrapped_key, 'hex')
      )
      order by c.id
    ), '[]'
  )
  from public.credentials c
  join private.sealed_credentials s on s.credential_id = c.id
  where c.key_id <> p_key_id
$$;
comment on function public.vault_wrapped(text) is 'The wrapped data keys that another master key than p_key_id opens, for the rotation; no values.';

create or replace function public.vault_rewrap(p_id uuid, p_was text, p_wrapped_key text, p_key_id text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into private.vault_keys (key_id) values (p_key_id) on conflict do nothing;
  -- Of one that was put anew meanwhile the new data key stays: the rotation asks again for what is left.
  update private.sealed_credentials s
  set wrapped_key = decode(p_wrapped_key, 'hex')
  where s.credential_id = p_id and s.wrapped_key = decode(p_was, 'hex');
  if not found then
    return false;
  end if;
  update public.credentials c set key_id = p_key_id where c.id = p_id;
  return true;
end
$$;

create or replace function public.worker_vault_keys(p_key_ids text[]) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_unknown text[];
begin
  select coalesce(array_agg(distinct c.key_id::text order by c.key_id::text), '{}') into v_unknown
  from public.credentials c
  join private.sealed_credentials s on s.credential_id = c.id
  where not c.key_id = any (coalesce(p_key_ids, '{}'));
  if v_unknown = '{}' and p_key_ids[1] is not null then
    insert into private.vault_keys (key_id) values (p_key_ids[1]) on conflict do nothing;
  end if;
  return jsonb_build_object('unknown', v_unknown);
end
$$;
comment on function public.worker_vault_keys(text[]) is
  'Which keys credentials are sealed with that are not among these, the current one first. A worker asks at its start.';

-- Where the extension Supabase Vault is, it can keep the master keys: AGENT_RUNTIME_VAULT_KEY=supabase. Its own key is with
-- Supabase and in no backup; but whoever owns the database can ask it.

create or replace function public.worker_master_keys() returns text[]
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_keys text[];
begin
  if to_regclass('vault.decrypted_secrets') is null then
    return null;
  end if;
  execute $q$
    select array_agg(s.decrypted_secret order by s.created_at desc, length(s.name) desc, s.name desc)
    from vault.decrypted_secrets s
    where s.name like 'agent-runtime vault key %'
  $q$
  into v_keys;
  return coalesce(v_keys, '{}');
end
$$;
comment on function public.worker_master_keys() is
  'The master keys that Supabase Vault keeps, the current one first; null without the extension.';

create or replace function public.vault_new_key() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  -- Each of the four has 122 random bits from the strong source of the server; the key is their digest.
  v_key constant bytea := sha256(
    uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
  );
begin
  -- One at a time: two first keys would be one too many.
  lock table private.vault_keys in share row exclusive mode;
  -- By name at run time: most databases do not have it.
  execute format('select %I.create_secret($1, $2, $3)', 'vault')
  using
    encode(v_key, 'base64'), format('agent-runtime vault key %s', cardinality(public.worker_master_keys()) + 1),
    'Opens the credentials of agent-runtime. Without it they are lost.';
end
$$;
comment on function public.vault_new_key() is 'Makes a new current master key within Supabase Vault; only workers and operators are told it.';

create or replace function private.credentials_named_in(p_config jsonb) returns setof text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select distinct m.found[1]
  from regexp_matches(p_config::text, '\{\{credential:([A-Za-z0-9][A-Za-z0-9_.-]{0,99})\}\}', 'g') as m (found)
$$;

create or replace function public.worker_credentials(p_task uuid, p_lease uuid, p_execution uuid, p_names text[]) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks := private.leased_task(p_task, p_lease);
  v_found jsonb;
begin
  with named as (
    select distinct n.name
    from public.tool_executions e
    join public.tools t on t.id = e.tool_id
    cross join private.credentials_named_in(t.config) as n (name)
    where e.task_id = p_task and n.name = any (p_names) and (t.tenant_id is null or t.tenant_id = v_task.tenant_id)
      and case
        when p_execution is not null then e.id = p_execution and e.status = 'running' and t.is_enabled
        else e.started_at is not null
      end
  ),
  nearest as (
    -- One's own before the tenant's before the platform's.
    select distinct on (c.name) c.*
    from named n
    join public.credentials c on c.name = n.name
    where c.scope = 'global'
       or (c.scope = 'tenant' and c.tenant_id = v_task.tenant_id)
       or (c.scope = 'user' and c.user_id = v_task.user_id
           and exists (select from public.users u where u.id = c.user_id and u.is_active))
    order by c.name, array_position(array['user', 'tenant', 'global'], c.scope::text)
  )
  select jsonb_agg(
    jsonb_build_object(
      'id', c.id, 'tenant_id', c.tenant_id, 'user_id', c.user_id, 'scope', c.scope, 'name', c.name, 'key_id', c.key_id,
      'ciphertext', encode(s.ciphertext, 'hex'), 'wrapped_key', encode(s.wrapped_key, 'hex')
    )
    order by c.name
  )
  into v_found
  from nearest c
  join private.sealed_credentials s on s.credential_id = c.id;

  perform private.note_credential_read(v_task, p_execution, f.value) from jsonb_array_elements(v_found) f;
  -- To the minute, and never waiting: runs that share a credential must not queue for its row.
  update public.credentials c
  set last_used_at = now()
  where c.id in (
    select l.id
    from public.credentials l
    where l.id in (select (f.value ->> 'id')::uuid from jsonb_array_elements(v_found) f)
      and (l.last_used_at is null or l.last_used_at < now() - interval '1 minute')
    for no key update skip locked
  );
  return coalesce(v_found, '[]');
end
$$;
comment on function public.worker_credentials(uuid, uuid, uuid, text[]) is
  'The sealed credentials of these names for the running call p_execution, as far as its tool''s configuration refers to them; '
  'without a call, those that calls of the task have used: a resumed run keeps them out of its output too. Others are left out in silence.';

create or replace function private.note_credential_read(p_task public.tasks, p_execution uuid, p_credential jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_values constant jsonb := jsonb_build_object(
    'name', p_credential ->> 'name', 'scope', p_credential ->> 'scope', 'task_id', p_task.id, 'execution_id', p_execution
  );
begin
  if to_regproc('private.audit_event') is not null then
    execute 'select private.audit_event($1, $2, $3, $4, $5)'
    using 'read', 'credentials', (p_credential ->> 'id')::uuid, v_values, p_task.tenant_id;
    return;
  end if;
  insert into public.audit_logs (actor, action, resource_type, resource_id, new_values, tenant_id)
  select
    coalesce(nullif(current_setting('agent_runtime.actor', true), ''), 'role:' || session_user), 'read', 'credentials',
    (p_credential ->> 'id')::uuid, v_values, p_task.tenant_id
  where private.config('enable_audit_logging') is distinct from 'false'::jsonb;
end
$$;

-- Whatever an API grants: rows come and go by the functions above, and never move.
create or replace function private.only_by_vault() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
begin
  if not private.acts_as_owner(tg_relid) then
    raise exception using errcode = '42501', message = 'credentials are changed by the functions of the vault alone';
  end if;
  if tg_op = 'UPDATE' and (new.id, new.name, new.scope, new.tenant_id, new.user_id)
     is distinct from (old.id, old.name, old.scope, old.tenant_id, old.user_id) then
    raise exception using errcode = '42501', message = 'a credential cannot be given to another owner or name';
  end if;
  if tg_op = 'UPDATE' and new.created_by is not null and new.created_by is distinct from old.created_by then
    raise exception using errcode = '42501', message = 'who made a credential cannot be changed';
  end if;
  if tg_op = 'INSERT' and exists (
    select from public.users u
    where u.id in (new.user_id, new.created_by) and (new.tenant_id in (u.tenant_id, u.home_tenant_id)) is not true
  ) then
    raise exception using errcode = '42501', message = 'a credential is of its user''s tenant';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end
$$;
create or replace trigger only_by_vault
  before insert or update or delete on public.credentials for each row execute function private.only_by_vault();
create or replace trigger only_by_vault_truncate
  before truncate on public.credentials for each statement execute function private.only_by_vault();

-- Everybody who is signed in reads the tools, and the audit keeps what their configuration was.
create or replace function private.no_secret_in_config() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
declare
  v_at text;
begin
  with recursive inside (at, value) as (
    select null::text, new.config
    union all
    select e.at, e.value
    from inside i
    cross join lateral (
      select o.key as at, o.value
      from jsonb_each(case when jsonb_typeof(i.value) = 'object' then i.value else '{}' end) o
      union all
      select i.at, a.value
      from jsonb_array_elements(case when jsonb_typeof(i.value) = 'array' then i.value else '[]' end) a
    ) e
  )
  select i.at into v_at
  from inside i
  cross join lateral (select regexp_replace(i.value #>> '{}', '\{\{credential:[^{}]*\}\}', '', 'g') as text) rest
  where jsonb_typeof(i.value) = 'string' and rest.text <> ''
    -- Under a name that sounds secret everything but the words around a reference; anywhere a password in a URL.
    and ((private.sounds_secret(i.at) and rest.text = i.value #>> '{}') or rest.text ~ '://[^/@[:space:]]*:[^/@[:space:]]+@')
  limit 1;
  if found then
    raise exception using
      errcode = 'AR005',
      message = format('tools.config is not for secrets, and %s looks like one: put it into the vault, and its name here', to_jsonb(v_at));
  end if;
  return new;
end
$$;
create or replace trigger no_secret_in_config
  before insert or update of config on public.tools for each row execute function private.no_secret_in_config();
