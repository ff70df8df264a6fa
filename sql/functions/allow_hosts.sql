-- Which hosts of private networks the tools of a tenant may reach: tenants.settings.allow_hosts, set by an operator, since the
-- private network is the operator's. The worker's guard holds it against every connection.

create or replace function private.check_allow_hosts() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_hosts constant jsonb := new.settings -> 'allow_hosts';
  v_host text;
begin
  if v_hosts is null then
    return new;
  end if;
  if jsonb_typeof(v_hosts) <> 'array' or jsonb_array_length(v_hosts) > 200 then
    raise exception using
      errcode = 'AR005', message = 'allow_hosts is a list of at most 200 texts like "wiki.internal:8080"';
  end if;
  for v_host in select coalesce(e.value #>> '{}', '') from jsonb_array_elements(v_hosts) e loop
    if v_host !~ '^([a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?$'
       or coalesce(substring(v_host from ':([0-9]+)$')::integer, 80) not between 1 and 65535 then
      raise exception using
        errcode = 'AR005',
        message = format(
          '%s is not a host that can be allowed: write name:port, address:port or [IPv6]:port, in lower case', to_jsonb(left(v_host, 100))
        );
    end if;
  end loop;
  return new;
end
$$;
comment on function private.check_allow_hosts() is 'Holds the form of tenants.settings.allow_hosts, whoever writes it; AR005.';

create or replace function public.set_tenant_allow_hosts(p_tenant uuid, p_hosts jsonb) returns public.tenants
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_hosts constant jsonb := private.json(p_hosts);
  v_tenant public.tenants;
begin
  perform private.require_operator();
  if v_hosts is null or jsonb_typeof(v_hosts) <> 'array' then
    raise exception using
      errcode = 'AR005', message = 'allow_hosts is a list of at most 200 texts like "wiki.internal:8080"';
  end if;
  -- A trigger checks each of them.
  update public.tenants t
  set settings = case when v_hosts = '[]' then t.settings - 'allow_hosts' else t.settings || jsonb_build_object('allow_hosts', v_hosts) end
  where t.id = p_tenant
  returning * into v_tenant;
  if not found then
    raise exception using errcode = 'AR002', message = format('there is no tenant %s', p_tenant);
  end if;
  return v_tenant;
end
$$;
comment on function public.set_tenant_allow_hosts(uuid, jsonb) is
  'An operator says which hosts of private networks the tools of a tenant may reach, all of them: ["wiki.internal:8080"]; [] for none. '
  'It holds from the next claim of each task on.';
