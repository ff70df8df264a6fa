-- What taints a task besides its tools, and who may permit what goes out: see functions/taint.sql.

-- An uploaded file is somebody else's words until the tenant says otherwise: tenants.settings {"trust_uploads": true}.
create or replace function private.taint_by_upload() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update public.tasks t
  set tainted = true, taint_sources = private.with_sources(t.taint_sources, array['file ' || new.original_filename], null, null)
  from public.tenants o
  where t.id = new.task_id and o.id = t.tenant_id and o.settings -> 'trust_uploads' is distinct from 'true';
  return null;
end
$$;
create or replace trigger taint_by_upload
  after insert on public.files for each row when (new.uploaded_by is not null) execute function private.taint_by_upload();

-- For everybody who changes the permissions, the owner's scripts among them.
create or replace function private.check_outward_permissions() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_permission jsonb;
  v_problem text;
begin
  if octet_length(new.outward_permissions::text) > 65536 then
    raise exception using errcode = 'AR005', message = 'outward_permissions is not within 65536 bytes';
  end if;
  for v_permission in select e.value from jsonb_array_elements(new.outward_permissions) e loop
    v_problem := case
      when jsonb_typeof(v_permission) <> 'object' or v_permission - array['tool', 'destination', 'bound'] <> '{}'
        then 'it is an object of tool, destination and, if need be, bound'
      when jsonb_typeof(v_permission -> 'tool') is distinct from 'string' then 'it names no tool'
      when jsonb_typeof(v_permission -> 'destination') is distinct from 'string'
           or private.trimmed(v_permission ->> 'destination') <> v_permission ->> 'destination'
           or v_permission ->> 'destination' = ''
        then 'it names no destination'
      when position('*' in v_permission ->> 'destination') > 0
           and (v_permission ->> 'destination') !~ '^\*[.@][A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$'
        then 'a pattern is *.host or *@host, of a host with a dot in it'
      when v_permission -> 'bound' is not null and (
        jsonb_typeof(v_permission -> 'bound') <> 'array' or jsonb_path_exists(v_permission -> 'bound', '$[*] ? (@.type() <> "string")')
      )
        then 'bound is a list of names of arguments'
    end;
    if v_problem is not null then
      raise exception using
        errcode = 'AR005', message = format('outward permission %s: %s', left(v_permission::text, 200), v_problem);
    end if;
  end loop;
  return new;
end
$$;

-- Security invoker, so that it asks about the caller. By these permissions an agent sends what it was told by strangers: an admin's
-- word, for each agent of the tenant, one's own included; and never a tool's.
create or replace function private.guard_outward_permissions() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
begin
  if private.acts_as_owner(tg_relid) or (tg_op = 'INSERT' and new.outward_permissions = '[]')
     or (tg_op = 'UPDATE' and new.outward_permissions = old.outward_permissions) then
    return new;
  elsif private.is_acting() or not (case
    when new.tenant_id is null then private.is_operator()
    else coalesce(new.tenant_id = private.my_tenant_as_admin(), false)
  end) then
    raise exception using errcode = '42501', message = 'only an admin can permit an agent to send without asking';
  end if;
  return new;
end
$$;
-- After own_agent, by their names: whose it is is known then.
create or replace trigger permit_outward_check
  before insert or update of outward_permissions on public.agents for each row
  execute function private.check_outward_permissions();
create or replace trigger permit_outward_guard
  before insert or update of outward_permissions on public.agents for each row
  execute function private.guard_outward_permissions();
