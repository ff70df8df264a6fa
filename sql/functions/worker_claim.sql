-- Taking tasks, and taking back those whose worker died.

-- enable_sort is off because the planner, thinking that few rows are pending, would read another index, dead rows and all, and
-- sort: the index of claimable rows has them in order.
create or replace function public.worker_claim(
  p_worker uuid, p_limit integer, p_lease_seconds double precision, p_claim uuid default null, p_again boolean default false
) returns setof public.tasks
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_sort = off as $$
declare
  v_cap bigint := private.config_number('max_concurrent_tasks', 10);
  v_task public.tasks;
  v_full uuid[] := '{}'::uuid[];  -- users who run as many tasks as they may
  v_busy uuid[] := '{}'::uuid[];  -- users for whom another claim is counting right now
  v_counts boolean := false; -- whether we hold such a lock ourselves
  v_turn boolean := random() < 0.5;
  v_last uuid;
  v_first uuid;
  v_claimed integer := 0;
  v_tenants uuid[];
begin
  perform pg_catalog.set_config('agent_runtime.actor', 'worker:' || p_worker, true);
  if p_claim is not null then
    -- Held until the end, so that a repetition waits for a first call that the worker gave up on but the server did not.
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(p_worker::text, 4203));
  end if;
  if p_again then
    for v_task in
      update public.tasks t
      set lease_expires_at = now() + make_interval(secs => p_lease_seconds)
      where t.worker_id = p_worker and t.lease_token = p_claim and t.status = 'running'
      returning *
    loop
      v_claimed := v_claimed + 1;
      v_task.search := null;
      return next v_task;
    end loop;
    if v_claimed > 0 then
      return;
    end if;
  end if;
  v_tenants := private.tend_families();
  -- It holds a lock of each of these families' owners.
  v_counts := cardinality(v_tenants) > 0;
  v_tenants := v_tenants || private.make_due();

  while v_claimed < p_limit loop
    -- Every second pick goes by priority and age over all tenants, every other one to the next tenant in turn: so what is
    -- urgent starts soon, and nobody's tasks wait for ever behind another tenant's.
    v_task := null;
    if v_turn then
      if v_last is null then
        select w.last_tenant into v_last from public.workers w where w.id = p_worker;
        v_first := v_last;
      end if;
      v_task := private.next_in_turn(coalesce(v_last, '00000000-0000-0000-0000-000000000000'), v_full || v_busy);
    end if;
    if not v_turn then
      select * into v_task
      from public.tasks t
      where t.status = 'pending' and t.run_after is null and t.user_id <> all (v_full || v_busy)
      order by t.priority desc, t.created_at, t.id
      limit 1
      for no key update skip locked;
    end if;

    if v_task.id is null then
      -- Nothing at all but users that others are counting: wait for one of them. Only while holding no such lock, so that
      -- two claims never wait for each other; giving up instead would leave a claimable task lying until the next poll.
      exit when v_counts or cardinality(v_busy) = 0;
      perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(v_busy[1]::text, 4202));
      v_counts := true;
      v_busy := v_busy[2:];
      continue;
    end if;

    -- Seen from afar, so that a user who is full is not locked.
    if private.running_tasks(v_task.user_id) >= v_cap then
      v_full := v_full || v_task.user_id;
      continue;
    end if;
    -- The cap holds under concurrency because one claim at a time counts a user's running tasks.
    if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(v_task.user_id::text, 4202)) then
      v_busy := v_busy || v_task.user_id;
      continue;
    end if;
    v_counts := true;
    if private.running_tasks(v_task.user_id) >= v_cap then
      v_full := v_full || v_task.user_id;
      continue;
    end if;

    update public.tasks t
    set status = 'running',
        lease_token = coalesce(p_claim, gen_random_uuid()),
        lease_expires_at = now() + make_interval(secs => p_lease_seconds),
        worker_id = p_worker,
        started_at = coalesce(t.started_at, now())
    where t.id = v_task.id
    returning * into v_task;
    v_claimed := v_claimed + 1;
    v_tenants := v_tenants || v_task.tenant_id;
    if v_turn then
      v_last := v_task.tenant_id;
    end if;
    v_turn := not v_turn;
    v_task.search := null;  -- long, and nothing to a worker
    return next v_task;
  end loop;
  if v_last is distinct from v_first then
    update public.workers w set last_tenant = v_last where w.id = p_worker;
  end if;
  perform private.lock_audit_heads(v_tenants);
end
$$;
comment on function public.worker_claim(uuid, integer, double precision, uuid, boolean) is
  'Leases up to p_limit pending tasks: by priority, then age, tenants taking turns at every second one, never more per user than '
  'max_concurrent_tasks. p_claim, a new number for each claim, becomes their lease token; with p_again, for a claim whose answer was '
  'lost, those that it leased are answered again.';

create or replace function private.next_in_turn(p_last uuid, p_without uuid[]) returns public.tasks
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks;
begin
  select * into v_task
  from public.tasks t
  where t.status = 'pending' and t.run_after is null and t.tenant_id > p_last and t.user_id <> all (p_without)
  order by t.tenant_id, t.priority desc, t.created_at, t.id
  limit 1
  for no key update skip locked;
  if not found then
    -- All had their turn: the first again.
    select * into v_task
    from public.tasks t
    where t.status = 'pending' and t.run_after is null and t.user_id <> all (p_without)
    order by t.tenant_id, t.priority desc, t.created_at, t.id
    limit 1
    for no key update skip locked;
  end if;
  return v_task;
end
$$;
comment on function private.next_in_turn(uuid, uuid[]) is 'The first task of the next tenant after p_last that has one.';

create or replace function public.worker_backlog() returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select (select count(*) from public.tasks t where t.status = 'pending' and (t.run_after is null or t.run_after <= now()))
    + (select count(*) from public.tasks t where t.status = 'running')
$$;
comment on function public.worker_backlog() is
  'Tasks that are due or running: what a fleet is scaled by. With the running ones, because a fleet that has claimed everything is busy.';

create or replace function private.running_tasks(p_user uuid) returns bigint
language sql security definer set search_path = pg_catalog, pg_temp as $$
  select count(*) from public.tasks t where t.user_id = p_user and t.status = 'running'
$$;

create or replace function private.make_due() returns uuid[]
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_tenants uuid[];
begin
  with due as (
    update public.tasks t set run_after = null
    where t.id in (
      select d.id from public.tasks d
      where d.status = 'pending' and d.run_after <= now()
      order by d.run_after
      limit 1000
      for no key update skip locked
    )
    returning t.tenant_id
  )
  select coalesce(array_agg(distinct d.tenant_id), '{}') into v_tenants from due d;
  return v_tenants;
end
$$;
comment on function private.make_due() is 'Makes tasks claimable whose time has come; whose tenants'' they are.';

create or replace function public.worker_reap(p_limit integer default 100)
returns table (task_id uuid, status text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks;
  v_tenants uuid[] := array[null::uuid];  -- that of the workers that are forgotten
begin
  for v_task in
    select * from public.tasks t
    where t.status = 'running' and t.lease_expires_at < now()
    order by t.lease_expires_at
    limit p_limit
    for no key update skip locked
  loop
    -- Its owner's tasks are being claimed: next time. A reap and a claim each hold several conversations, and would wait for
    -- each other's over the same owner's.
    continue when not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(v_task.user_id::text, 4202));
    perform pg_catalog.set_config('agent_runtime.actor', 'reaper', true);
    if v_task.cancel_requested_at is not null then
      perform private.end_task(v_task, 'cancelled', null, null);
      status := 'cancelled';
    elsif v_task.attempts + 1 >= v_task.max_attempts then
      update public.tasks t set attempts = t.attempts + 1 where t.id = v_task.id returning * into v_task;
      perform private.end_task(
        v_task, 'failed', null,
        format('limit max_attempts reached: the worker died %s times while it ran this task', v_task.attempts)
      );
      status := 'failed';
    else
      update public.tasks t
      set status = 'pending', attempts = t.attempts + 1, lease_token = null, lease_expires_at = null, worker_id = null
      where t.id = v_task.id
      returning t.status::text into status;  -- 'paused', where that was asked for
    end if;
    v_tenants := v_tenants || v_task.tenant_id;
    task_id := v_task.id;
    return next;
  end loop;
  perform pg_catalog.set_config('agent_runtime.actor', 'reaper', true);
  v_tenants := v_tenants || private.expire_approvals(p_limit);
  perform private.forget_workers();
  -- Whoever finds it locked leaves it to the other.
  update private.duties d set done_at = now()
  where d.name in (select u.name from private.duties u where u.name = 'reap' for no key update skip locked);
  perform private.keep_audit_months();
  perform private.lock_audit_heads(v_tenants);
end
$$;

create or replace function private.forget_workers() returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  delete from public.workers w
  where coalesce(w.stopped_at, w.heartbeat_at) < now() - interval '7 days' and w.heartbeat_at < now() - interval '7 days'
$$;
comment on function public.worker_reap(integer) is
  'Gives tasks whose lease expired to the next worker, or ends those that killed max_attempts workers; denies calls whose time to '
  'approve is over. Any worker may call it.';
