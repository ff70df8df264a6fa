-- A worker process: registers, renews all its leases in one call, says goodbye.

create or replace function private.oldest_release() returns integer
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select 2  -- the oldest schema version whose workers can still work with this one
$$;

create or replace function public.worker_register(
  p_worker uuid, p_host text, p_pid integer, p_version text, p_capacity integer, p_schema integer,
  p_transport text default 'postgres'
) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if p_schema is null or p_schema < private.oldest_release() then
    raise exception using
      errcode = 'AR007',
      message = format('the database needs workers of schema version %s or newer, this one has %s: upgrade agent-runtime on this machine',
                       private.oldest_release(), p_schema);
  end if;
  perform pg_catalog.set_config('agent_runtime.actor', 'worker:' || p_worker, true);
  insert into public.workers (id, host, pid, version, capacity, transport)
  values (p_worker, left(p_host, 255), p_pid, left(p_version, 50), p_capacity, left(p_transport, 20))
  on conflict (id) do update set heartbeat_at = now(), stopped_at = null;
  return public.worker_config();
end
$$;
comment on function public.worker_register(uuid, text, integer, text, integer, integer, text) is
  'Announces a worker that knows schema version p_schema, or refuses it (AR007); returns configuration and schema version.';

create or replace function public.worker_config() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object(
    'schema_version', (select max(v.version) from private.schema_version v),
    'config', (select coalesce(jsonb_object_agg(c.config_key, c.config_value), '{}') from public.system_config c)
  )
$$;

create or replace function public.worker_renew(
  p_worker uuid, p_tasks uuid[], p_leases uuid[], p_lease_seconds double precision
) returns table (task_id uuid, held boolean, cancel_requested boolean, pause_requested boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update public.workers w set heartbeat_at = now(), stopped_at = null where w.id = p_worker;
  return query
    with asked as (
      select a.task_id, a.lease from unnest(p_tasks, p_leases) as a (task_id, lease)
    ),
    free as (
      -- One task whose row somebody holds must not keep the others' leases from being renewed.
      select t.id, t.lease_token
      from public.tasks t
      join asked a on a.task_id = t.id
      where t.status = 'running' and t.lease_token = a.lease
      order by t.id
      for no key update of t skip locked
    ),
    renewed as (
      update public.tasks t
      set lease_expires_at = now() + make_interval(secs => p_lease_seconds)
      from free f
      where t.id = f.id
      returning t.id, t.lease_token, t.cancel_requested_at, t.pause_requested_at
    )
    select a.task_id, r.id is not null, r.cancel_requested_at is not null, r.pause_requested_at is not null
    from asked a
    left join renewed r on r.id = a.task_id and r.lease_token = a.lease
    -- Of one that is held but locked nothing is said: neither renewed nor lost.
    where r.id is not null
       or not exists (select from public.tasks t where t.id = a.task_id and t.status = 'running' and t.lease_token = a.lease);
end
$$;
comment on function public.worker_renew(uuid, uuid[], uuid[], double precision) is
  'Prolongs the leases that are still held and says of each task whether it is, and whether somebody asked to stop it. Of a task whose '
  'row is locked at the moment it says nothing: ask again.';

create or replace function public.worker_stopped(p_worker uuid) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update public.workers w set stopped_at = now() where w.id = p_worker
$$;

create or replace function public.worker_list() returns table (
  id uuid, host text, pid integer, version text, capacity integer, transport text, state text, running bigint,
  started_at timestamptz, heartbeat_at timestamptz
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select w.id, w.host, w.pid, w.version, w.capacity, w.transport,
         case
           when w.stopped_at is not null then 'stopped'
           when w.heartbeat_at > now() - interval '1 minute' then 'working'
           else 'lost'
         end,
         (select count(*) from public.tasks t where t.worker_id = w.id and t.status = 'running'),
         w.started_at, w.heartbeat_at
  from public.workers w
  order by w.stopped_at is not null, w.heartbeat_at desc
$$;
comment on function public.worker_list() is 'Who works: state is working, stopped, or lost when no sign came for a minute.';
