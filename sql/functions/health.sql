-- How the runtime is: what workers know of their model server, what waits, and what to do about it.

create or replace function public.worker_report(p_worker uuid, p_health jsonb) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_health constant jsonb := private.json(p_health);
  v_before jsonb;
begin
  if v_health is null or jsonb_typeof(v_health) <> 'object' or octet_length(v_health::text) > 65536 then
    raise exception using errcode = 'AR005', message = 'p_health is not an object of at most 65536 bytes';
  end if;
  select w.health into v_before from public.workers w where w.id = p_worker for update;
  if not found then
    raise exception using errcode = 'AR002', message = format('there is no worker %s', p_worker);
  end if;
  update public.workers w set health = v_health, health_at = now() where w.id = p_worker;
  if v_health ->> 'sandbox' = 'none' and v_before ->> 'sandbox' is distinct from 'none' then
    perform private.audit_event(
      'worker.unsandboxed', 'workers', p_worker,
      (select jsonb_build_object('host', w.host, 'pid', w.pid, 'version', w.version) from public.workers w where w.id = p_worker), null
    );
  end if;
  return jsonb_build_object('missing', to_jsonb(private.missing_models(v_health, private.wanted_models(null))));
end
$$;
comment on function public.worker_report(uuid, jsonb) is
  'A worker says what it knows of its model server: {"model_url" without credentials, "reachable", "version", "stand_in", "models": names, '
  '"model": what it uses instead of the agents'' own, "error", "sandbox": where commands run}. None is audited. Returns {"missing"}: models that agents want and the server has not.';

create or replace function private.model_tag(p_name text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  -- As Ollama has it: a name without a tag is that of the newest.
  select case when p_name ~ ':[^/]*$' then p_name else p_name || ':latest' end
$$;

create or replace function private.wanted_models(p_tenant uuid) returns text[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(array_agg(distinct w.name order by w.name), '{}')
  from (
    select case when a.model_name = 'default' then private.config('default_model') #>> '{}' else a.model_name::text end as name
    from public.agents a
    where a.is_active and (p_tenant is null or a.tenant_id = p_tenant or (a.tenant_id is null and a.is_public))
  ) w
  where w.name is not null
$$;
comment on function private.wanted_models(uuid) is 'The models of the active agents that a tenant can use; of all agents, if that is null.';

create or replace function private.missing_models(p_health jsonb, p_wanted text[]) returns text[]
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select case
    -- A stand-in answers whatever it is called, and of one that does not answer nothing is known.
    when p_health -> 'reachable' is distinct from 'true' or p_health -> 'stand_in' = 'true' or jsonb_typeof(p_health -> 'models') <> 'array'
      then '{}'
    else (
      select coalesce(array_agg(w.name order by w.name), '{}')
      from unnest(case when p_health ->> 'model' is null then p_wanted else array[p_health ->> 'model'] end) as w (name)
      where private.model_tag(w.name) not in (
        select private.model_tag(m.value) from jsonb_array_elements_text(p_health -> 'models') m
      )
    )
  end
$$;

create or replace function private.model_state(p_wanted text[]) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  -- Of the workers that work, what they said last; null where none has said anything.
  select jsonb_build_object(
    'reachable', bool_and(w.health -> 'reachable' is not distinct from 'true'),
    'stand_in', coalesce(bool_or(w.health -> 'stand_in' = 'true'), false),
    'missing', (
      select coalesce(jsonb_agg(distinct m.name order by m.name), '[]')
      from public.workers o
      cross join lateral unnest(private.missing_models(o.health, p_wanted)) as m (name)
      where o.stopped_at is null and o.heartbeat_at > now() - interval '1 minute' and o.health is not null
    )
  )
  from public.workers w
  where w.stopped_at is null and w.heartbeat_at > now() - interval '1 minute' and w.health is not null
$$;

create or replace function public.runtime_status() returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me uuid := private.me();
begin
  if v_me is null then
    raise exception using errcode = '42501', message = 'sign in to see the status';
  end if;
  return jsonb_build_object(
    'workers', (
      select count(*) from public.workers w where w.stopped_at is null and w.heartbeat_at > now() - interval '1 minute'
    ),
    'my_pending', (select count(*) from public.tasks t where t.user_id = v_me and t.status = 'pending'),
    'oldest_pending_seconds', (
      select floor(extract(epoch from now() - min(t.created_at)))
      from public.tasks t
      where t.user_id = v_me and t.status = 'pending' and t.run_after is null
    ),
    'model', private.model_state(private.wanted_models(private.my_tenant())),
    'server_time', now(),
    'schema_version', (select max(v.version) from private.schema_version v)
  );
end
$$;
comment on function public.runtime_status() is
  'Whether anybody works, for a screen that must say why nothing moves: {workers, my_pending, oldest_pending_seconds, model: {reachable '
  '(null: nobody has said), stand_in, missing: names}, server_time, schema_version}.';

-- What is wrong, as a code for programs, and what to do about it, for people.
create or replace function private.problem(p_code text) returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object('problem', p_code, 'remedy', case p_code
    when 'no_worker' then 'No worker runs: start one with `agent-runtime run`.'
    when 'worker_lost' then 'It has not been heard of for a minute: look at its machine and its log. Its tasks go to another worker by themselves.'
    when 'no_report' then 'It has not said how its model server is: it is of an older release, or has just begun.'
    when 'model_unreachable' then 'Its model server does not answer: start Ollama there, or set ollama_base_url in the configuration.'
    when 'model_missing' then 'The model server has not all models that agents want: `ollama pull` them, or choose others for the agents.'
    when 'model_stand_in' then 'Scripted answers, and no model: for tests and demonstrations. Start Ollama, and set AGENT_RUNTIME_MODEL_URL or ollama_base_url.'
    when 'unsandboxed' then 'Commands of models run there with all rights of its account: install bubblewrap, and start it without --allow-unsandboxed.'
    when 'queue_stuck' then 'Tasks wait although workers run: they are all busy. Start more workers, or raise AGENT_RUNTIME_CONCURRENCY.'
    when 'leases_overdue' then 'Runs whose worker died were not given to another one: no worker looks for them. Start one.'
    when 'reap_late' then 'No worker has looked for dead workers'' tasks for five minutes: restart the workers.'
    when 'audit_off' then 'Changes are not on record: set enable_audit_logging to true.'
  end)
  where p_code is not null
$$;

create or replace function private.worker_problem(p_worker public.workers, p_wanted text[]) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select case
    when p_worker.stopped_at is not null then null
    when p_worker.heartbeat_at <= now() - interval '1 minute' then 'worker_lost'
    when p_worker.health is null then 'no_report'
    when p_worker.health -> 'reachable' is distinct from 'true' then 'model_unreachable'
    when p_worker.health -> 'stand_in' = 'true' then 'model_stand_in'
    when private.missing_models(p_worker.health, p_wanted) <> '{}' then 'model_missing'
    when p_worker.health ->> 'sandbox' = 'none' then 'unsandboxed'
  end
$$;

create or replace function private.queue_health(p_tenant uuid) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with open_tasks as (
    select t.*
    from public.tasks t
    where t.status in ('pending', 'running', 'waiting', 'paused') and (p_tenant is null or t.tenant_id = p_tenant)
  ),
  counted as (
    select
      count(*) filter (where t.status = 'pending' and t.run_after is null) as pending,
      count(*) filter (where t.status = 'pending' and t.run_after is not null) as scheduled,
      floor(extract(epoch from now() - min(t.created_at) filter (where t.status = 'pending' and t.run_after is null))) as oldest,
      count(*) filter (where t.status = 'running') as running,
      count(*) filter (where t.status = 'running' and t.lease_expires_at < now() - interval '1 minute') as overdue,
      count(*) filter (where t.status = 'paused') as paused
    from open_tasks t
  )
  select jsonb_build_object(
    'pending', c.pending,
    'scheduled', c.scheduled,
    'oldest_pending_seconds', c.oldest,
    'running', c.running,
    'overdue_leases', c.overdue,
    'paused', c.paused,
    'waiting', (
      select coalesce(jsonb_object_agg(w.wait_reason, w.number), '{}')
      from (select t.wait_reason, count(*) as number from open_tasks t where t.status = 'waiting' group by t.wait_reason) w
    )
  ) || coalesce(private.problem(case
    when not exists (
      select from public.workers w where w.stopped_at is null and w.heartbeat_at > now() - interval '1 minute'
    ) then 'no_worker'
    when c.overdue > 0 then 'leases_overdue'
    when c.oldest > 60 then 'queue_stuck'
  end), '{}')
  from counted c
$$;
comment on function private.queue_health(uuid) is 'What waits in a tenant, or (null) in all of them.';

create or replace function private.sizes() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object(
    'database_bytes', pg_catalog.pg_database_size(current_database()),
    'tables', (
      select jsonb_object_agg(s.name, jsonb_build_object('bytes', s.bytes, 'rows_estimated', s.rows_estimated))
      from (
        select case when c.relispartition then 'audit_logs' else c.relname::text end as name,
               sum(pg_catalog.pg_total_relation_size(c.oid))::bigint as bytes,
               sum(greatest(c.reltuples, 0))::bigint as rows_estimated
        from pg_catalog.pg_class c
        where c.relkind = 'r'
          and ((c.relnamespace = 'public'::regnamespace
                and c.relname in ('messages', 'tasks', 'task_events', 'tool_executions', 'files', 'conversations'))
               or (c.relispartition and c.oid in (
                 select i.inhrelid from pg_catalog.pg_inherits i where i.inhparent = 'public.audit_logs'::regclass
               )))
        group by 1
      ) s
    )
  )
$$;

create or replace function public.runtime_health() returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me constant public.users := private.myself();
  v_all constant boolean := v_me.is_operator;
  v_wanted constant text[] := private.wanted_models(case when not v_me.is_operator then v_me.tenant_id end);
  v_audited constant boolean := private.config('enable_audit_logging') is not distinct from 'true';
  v_reaped_at constant timestamptz := (select d.done_at from private.duties d where d.name = 'reap');
begin
  if v_me.role <> 'admin' and not v_all then
    raise exception using errcode = '42501', message = 'only an admin or an operator can see how the runtime is';
  end if;
  return jsonb_build_object(
    'server_time', now(),
    'schema_version', (select max(v.version) from private.schema_version v),
    'scope', case when v_all then 'platform' else 'tenant' end,
    'workers', (
      select coalesce(jsonb_agg(
        to_jsonb(l) || jsonb_build_object(
          'age_seconds', floor(extract(epoch from now() - l.started_at)),
          'silent_seconds', floor(extract(epoch from now() - l.heartbeat_at)),
          'health_at', w.health_at,
          'health', w.health - 'models',
          'missing', to_jsonb(private.missing_models(w.health, v_wanted))
        ) || coalesce(private.problem(private.worker_problem(w, v_wanted)), '{}')
        order by l.state = 'stopped', l.heartbeat_at desc
      ), '[]')
      from public.worker_list() l
      join public.workers w on w.id = l.id
    ),
    'model', private.model_state(v_wanted) || coalesce(private.problem((
      select p.code
      from public.workers w
      cross join lateral private.worker_problem(w, v_wanted) as p (code)
      where p.code like 'model%'
      order by p.code = 'model_unreachable' desc, p.code = 'model_missing' desc
      limit 1
    )), '{}'),
    'queue', private.queue_health(case when not v_all then v_me.tenant_id end),
    'reap', jsonb_build_object('last_at', v_reaped_at, 'age_seconds', floor(extract(epoch from now() - v_reaped_at)))
      || coalesce(private.problem(case when v_reaped_at < now() - interval '5 minutes' then 'reap_late' end), '{}'),
    'audit', jsonb_build_object(
      'enabled', v_audited,
      'head', (
        select jsonb_build_object('chain_seq', h.chain_seq, 'hash', encode(h.hash, 'hex'), 'created_at', h.created_at)
        from private.audit_heads h
        where h.chain = private.audit_chain(v_me.tenant_id)
      ),
      'platform_head', case when v_all then (
        select jsonb_build_object('chain_seq', h.chain_seq, 'hash', encode(h.hash, 'hex'), 'created_at', h.created_at)
        from private.audit_heads h
        where h.chain = private.audit_chain(null)
      ) end
    ) || coalesce(private.problem(case when not v_audited then 'audit_off' end), '{}'),
    'sizes', jsonb_build_object(
      'files_bytes', case when not v_all then (
        select coalesce(sum(f.file_size), 0) from public.files f where f.tenant_id = v_me.tenant_id and f.kind = 'file'
      ) end
    ) || case when v_all then private.sizes() else '{}' end
  );
end
$$;
comment on function public.runtime_health() is
  'For admins, of their tenant, and operators, of all: {workers, model, queue, reap, audit, sizes}. Where something is wrong, the part has '
  'a "problem", a code, and a "remedy", in words.';
