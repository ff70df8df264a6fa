-- Children: made, told to stop, given their turn, and read, by the call of spawn_tasks or retry_tasks that waits for them.
--
-- The call stays running while its task waits without a slot, with {"spawn_id", "deadline"} as its output so far; it is run again when
-- the last child has ended. So a crash at any moment is the ordinary path: children that are there are not made again.

create or replace function private.is_open(p_task public.tasks) returns boolean
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select p_task.status in ('pending', 'running', 'waiting', 'paused') and p_task.cancel_requested_at is null
$$;

create or replace function private.task_depth(p_task uuid) returns integer
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with recursive ancestors as (
    select t.parent_task_id, 0 as depth from public.tasks t where t.id = p_task
    union all
    select t.parent_task_id, a.depth + 1 from ancestors a join public.tasks t on t.id = a.parent_task_id where a.depth < 100
  )
  select max(a.depth) from ancestors a
$$;
comment on function private.task_depth(uuid) is 'How many tasks are above it: 0 for one that a person submitted.';

create or replace function private.family_limit(p_limits jsonb, p_name text) returns integer
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select coalesce(
    floor((p_limits ->> p_name)::numeric),
    case p_name when 'child_tasks' then 100 when 'child_tasks_at_once' then 4 when 'child_depth' then 1 end
  )::integer
$$;
comment on function private.family_limit(jsonb, text) is 'child_tasks, child_tasks_at_once or child_depth, with what holds where nobody set it.';

create or replace function private.may_spawn(p_task public.tasks) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return private.task_depth(p_task.id) < private.family_limit(private.limits_of(p_task), 'child_depth');
end
$$;

create or replace function private.spawns_of(p_task uuid) returns table (number bigint, id uuid)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select row_number() over (order by e.step, e.call_index), e.id
  from public.tool_executions e
  where e.task_id = p_task and exists (select from public.tasks c where c.spawn_id = e.id)
$$;
comment on function private.spawns_of(uuid) is 'A task''s calls of spawn_tasks, numbered from 1.';

create or replace function private.spawn_numbered(p_task uuid, p_number integer) returns public.tool_executions
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_execution public.tool_executions;
begin
  select e.* into v_execution
  from private.spawns_of(p_task) s
  join public.tool_executions e on e.id = s.id
  where p_number is null or s.number = p_number
  order by s.number desc
  limit 1;
  if not found then
    if p_number is null or not exists (select from private.spawns_of(p_task)) then
      raise exception using errcode = 'AR005', message = 'the list of spawned tasks is empty: none was given away';
    end if;
    raise exception using
      errcode = 'AR002',
      message = format('there is no spawn %s: they are numbered from 1 to %s', p_number, (select count(*) from private.spawns_of(p_task)));
  end if;
  return v_execution;
end
$$;

create or replace function private.newest_children(p_spawn uuid) returns setof public.tasks
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select distinct on (c.spawn_item) c.*
  from public.tasks c
  where c.spawn_id = p_spawn
  order by c.spawn_item, private.is_open(c) desc, c.created_at desc, c.id
$$;
comment on function private.newest_children(uuid) is 'Of each item the task that counts.';

create or replace function private.failed_items(p_spawn uuid, p_items integer[]) returns integer[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(array_agg(i.item order by i.item), '{}')
  from public.tool_executions e
  cross join lateral generate_series(1, jsonb_array_length(e.input_parameters -> 'items')) i (item)
  left join lateral (select * from private.newest_children(p_spawn) n where n.spawn_item = i.item) c on true
  -- One whose task was deleted is none that has a result.
  where e.id = p_spawn and (p_items is null or i.item = any (p_items))
    and (c.id is null or (c.status <> 'completed' and (c.completed_at is not null or c.cancel_requested_at is not null)))
$$;

create or replace function private.spawn_items(p_spawn public.tool_executions) returns text[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_items constant jsonb := p_spawn.input_parameters -> 'items';
begin
  if jsonb_typeof(v_items) is distinct from 'array' or jsonb_array_length(v_items) = 0 then
    raise exception using errcode = 'AR005', message = 'items is not a list of texts, one for each task';
  end if;
  return array(select i.value from jsonb_array_elements_text(v_items) with ordinality i order by i.ordinality);
end
$$;

-- The files of the parent that its children get: those at these paths, and those in these folders.
create or replace function private.files_for_children(p_task public.tasks, p_paths jsonb) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_files jsonb;
  v_missing text;
begin
  if p_paths is null or p_paths in ('null', '[]') then
    return '[]'::jsonb;
  end if;
  with wanted as (
    select regexp_replace(p.value, '^(\./)+|/+$', '', 'g') as path from jsonb_array_elements_text(p_paths) p
  ),
  found as (
    select w.path, f.value as file
    from wanted w
    left join jsonb_array_elements(private.workspace_files(p_task)) f
      on f.value ->> 'kind' = 'file' and (f.value ->> 'is_stored')::boolean
         and (f.value ->> 'filename' = w.path or starts_with(f.value ->> 'filename', w.path || '/'))
  )
  select coalesce(jsonb_agg(distinct f.file) filter (where f.file is not null), '[]'),
         string_agg(f.path, ', ') filter (where f.file is null)
  into v_files, v_missing
  from found f;
  if v_missing is not null then
    raise exception using
      errcode = 'AR005', message = format('%s is not on record: write it first, or leave it out of files', left(v_missing, 500));
  elsif jsonb_array_length(v_files) > 50 then
    raise exception using
      errcode = 'AR006',
      message = format('limit child_files reached: %s files, at most 50 are given to each task', jsonb_array_length(v_files));
  end if;
  return v_files;
end
$$;

create or replace function private.make_children(p_task public.tasks, p_spawn public.tool_executions, p_items integer[])
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_arguments constant jsonb := p_spawn.input_parameters;
  v_limits constant jsonb := private.limits_of(p_task);
  v_texts constant text[] := private.spawn_items(p_spawn);
  v_schema constant jsonb := nullif(v_arguments -> 'result_schema', 'null');
  v_child_limits jsonb := p_task.limits;
  v_files jsonb;
  v_turns integer;
  v_item integer;
  v_child public.tasks;
begin
  perform private.require_limit(
    jsonb_build_object('child_tasks', private.family_limit(v_limits, 'child_tasks')), 'child_tasks',
    cardinality(p_items) + (select count(*) from public.tasks c where c.parent_task_id = p_task.id and c.spawn_id is not null)
  );
  perform private.require_limit(
    jsonb_build_object('child_depth', private.family_limit(v_limits, 'child_depth')), 'child_depth', private.task_depth(p_task.id) + 1
  );
  if (select u.tenant_id from public.users u where u.id = p_task.user_id) is distinct from p_task.tenant_id then
    raise exception using
      errcode = 'AR005', message = 'the task''s owner is not in its tenant at the moment: no tasks can be given away until then';
  end if;
  v_files := private.files_for_children(p_task, v_arguments -> 'files');
  if (v_arguments ->> 'steps_each') is not null then
    v_child_limits := v_child_limits || jsonb_build_object(
      'steps', least((v_arguments ->> 'steps_each')::numeric, (v_child_limits ->> 'steps')::numeric)
    );
  end if;
  if (v_arguments ->> 'minutes_each') is not null then
    v_child_limits := v_child_limits || jsonb_build_object(
      'wall_seconds', least((v_arguments ->> 'minutes_each')::numeric * 60, (v_child_limits ->> 'wall_seconds')::numeric)
    );
  end if;
  v_turns := private.turns_left(p_task, v_limits);

  foreach v_item in array p_items loop
    insert into public.conversations (title, user_id, agent_id)
    values (private.item_title(v_texts[v_item]), p_task.user_id, p_task.agent_id)
    returning id into v_child.conversation_id;
    insert into public.tasks (
      conversation_id, agent_id, title, description, priority, parent_task_id, spawn_id, spawn_item, result_schema, limits,
      status, wait_reason, created_at
    )
    values (
      v_child.conversation_id, p_task.agent_id, private.item_title(v_texts[v_item]),
      (v_arguments ->> 'instructions') || E'\n\nThe item to work on:\n' || v_texts[v_item]
        || coalesce(E'\n\nGive task_complete, as `result`, what this JSON schema describes:\n' || v_schema::text, ''),
      p_task.priority, p_task.id, p_spawn.id, v_item, v_schema, v_child_limits,
      case when v_turns > 0 then 'pending' else 'waiting' end, case when v_turns > 0 then null else 'schedule' end,
      clock_timestamp()  -- in the order of the items
    )
    returning * into v_child;
    v_turns := v_turns - 1;
    insert into public.files (
      conversation_id, task_id, filename, original_filename, file_path, file_size, mime_type, file_hash, is_executable, uploaded_by
    )
    select v_child.conversation_id, v_child.id, f.filename, regexp_replace(f.filename, '^.*/', ''), f.file_path, f.file_size, f.mime_type,
           f.file_hash, f.is_executable, (select o.uploaded_by from public.files o where o.id = f.id)
    from jsonb_to_recordset(v_files) as f (
      id uuid, filename text, file_path text, file_size bigint, mime_type text, file_hash text, is_executable boolean
    );
    perform private.add_message(
      v_child, 'user', v_child.description,
      jsonb_build_object('parent_task_id', p_task.id) || case
        when v_files = '[]' then '{}'
        else jsonb_build_object('files', (
          select jsonb_agg(jsonb_build_object('filename', f.filename, 'file_size', f.file_size, 'mime_type', f.mime_type))
          from jsonb_to_recordset(v_files) as f (filename text, file_size bigint, mime_type text)
        ))
      end
    );
  end loop;
end
$$;
comment on function private.make_children(public.tasks, public.tool_executions, integer[]) is
  'Makes a child for each of these items of a call of spawn_tasks, all or none. child_tasks_at_once of them may run; the rest wait for '
  'their turn, so that one task''s children take no place in the queue from what its owner submits meanwhile.';

create or replace function private.item_title(p_text text) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce(nullif(left(private.trimmed(split_part(private.trimmed(p_text), E'\n', 1)), 255), ''), '…');
end
$$;

create or replace function private.turns_left(p_task public.tasks, p_limits jsonb) returns integer
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select private.family_limit(p_limits, 'child_tasks_at_once') - (
    select count(*)::integer
    from public.tasks c
    where c.parent_task_id = p_task.id and c.spawn_id is not null and c.status in ('pending', 'running')
  )
$$;
comment on function private.turns_left(public.tasks, jsonb) is
  'How many more children of a task may be started. One that waits for a person holds no place.';

create or replace function private.follow(p_parent uuid, p_ask text, p_spawn uuid default null) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_child public.tasks;
  v_asked uuid[] := '{}'::uuid[];
begin
  -- Whoever holds a child is at work on it, and may come to wait for what we hold: it is left for later.
  for v_child in
    select * from public.tasks c
    where c.parent_task_id = p_parent and c.spawn_id is not null and (p_spawn is null or c.spawn_id = p_spawn)
      and c.status in ('pending', 'running', 'waiting', 'paused')
    order by c.id
    for no key update skip locked
  loop
    continue when not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(v_child.conversation_id::text, 4201));
    v_asked := v_asked || v_child.id;
    case p_ask
      when 'cancel' then
        update public.tasks t set cancel_requested_at = now() where t.id = v_child.id and t.cancel_requested_at is null;
      when 'pause' then
        update public.tasks t set pause_requested_at = now() where t.id = v_child.id and t.pause_requested_at is null;
      else
        update public.tasks t set pause_requested_at = null where t.id = v_child.id and t.pause_requested_at is not null;
    end case;
  end loop;
  return exists (
    select from public.tasks c
    where c.parent_task_id = p_parent and c.spawn_id is not null and (p_spawn is null or c.spawn_id = p_spawn)
      and c.status in ('pending', 'running', 'waiting', 'paused') and not c.id = any (v_asked)
  );
end
$$;
comment on function private.follow(uuid, text, uuid) is 'Asks of a task''s open children what was asked of it; whether some were busy and have not been asked.';

create or replace function private.give_turns(p_parent public.tasks) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_turns integer := private.turns_left(p_parent, private.limits_of(p_parent));
  v_child public.tasks;
begin
  if v_turns <= 0 or p_parent.status in ('paused', 'cancelled') or p_parent.cancel_requested_at is not null then
    return;
  end if;
  for v_child in
    select * from public.tasks c
    where c.parent_task_id = p_parent.id and c.spawn_id is not null and c.status = 'waiting' and c.wait_reason = 'schedule'
    order by c.created_at, c.spawn_item
    limit v_turns
    for no key update skip locked
  loop
    continue when not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(v_child.conversation_id::text, 4201));
    -- Its age is its place in the queue, and it comes into the queue now.
    update public.tasks t set status = 'pending', wait_reason = null, created_at = clock_timestamp() where t.id = v_child.id;
  end loop;
end
$$;

create or replace function private.tell_progress(p_parent public.tasks, p_moved bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_items bigint;
  v_over bigint;
  v_failed bigint;
  v_asking bigint;
begin
  if p_parent.status <> 'waiting' or p_parent.wait_reason <> 'children' then
    return;
  end if;
  select count(*), count(*) filter (where not private.is_open(c)), count(*) filter (where c.status in ('failed', 'cancelled')),
         count(*) filter (where c.wait_reason in ('answer', 'approval', 'doubt'))
  into v_items, v_over, v_failed, v_asking
  from private.awaited_spawns(p_parent.id) s
  cross join lateral private.newest_children(s.id) c;
  -- Of many, at each tenth: a timeline is no place for hundreds of lines.
  if v_asking > 0 or 10 * v_over / greatest(v_items, 1) > 10 * greatest(v_over - p_moved, 0) / greatest(v_items, 1) then
    perform private.append_event(
      p_parent.id, p_parent.conversation_id, p_parent.tenant_id, 'task.notice',
      jsonb_build_object('text', format('%s of %s spawned tasks have ended', v_over, v_items)
        || case when v_failed > 0 then format(', %s of them without a result', v_failed) else '' end
        || case when v_asking > 0 then format('; %s wait for a person', v_asking) else '' end)
    );
  end if;
end
$$;

create or replace function private.awaited_spawns(p_task uuid) returns table (id uuid)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select (e.output_result ->> 'spawn_id')::uuid
  from public.tool_executions e
  where e.task_id = p_task and e.status = 'running' and e.output_result ? 'spawn_id'
$$;

create or replace function private.tend_families(p_limit integer default 20) returns uuid[]
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_id uuid;
  v_ask text;
  v_moved bigint;
  v_parent public.tasks;
  v_tenants uuid[] := '{}'::uuid[];
begin
  for v_id in
    select n.task_id from private.family_news n
    union
    select t.id from public.tasks t where t.status = 'waiting' and t.run_after <= now()
    limit p_limit
  loop
    select * into v_parent from public.tasks t where t.id = v_id for no key update skip locked;
    if not found then
      delete from private.family_news n where n.task_id = v_id and not exists (select from public.tasks t where t.id = v_id);
      continue;
    end if;
    -- Nothing is waited for: what is locked is looked at by the next claim.
    continue when not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(v_parent.user_id::text, 4202));
    v_tenants := v_tenants || v_parent.tenant_id;
    continue when not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(v_parent.conversation_id::text, 4201));
    with read as (
      delete from private.family_news n where n.task_id = v_id returning n.id, n.ask
    )
    select (array_agg(r.ask::text order by r.id desc) filter (where r.ask is not null))[1], count(*) filter (where r.ask is null)
    into v_ask, v_moved
    from read r;
    if v_ask is not null and private.follow(v_id, v_ask) then
      insert into private.family_news (task_id, ask) values (v_id, v_ask);
    end if;
    perform private.give_turns(v_parent);
    if v_moved > 0 then
      perform private.tell_progress(v_parent, v_moved);
    end if;
    perform private.wake(v_parent, array['children']);
  end loop;
  return v_tenants;
end
$$;
comment on function private.tend_families(integer) is
  'Acts on what children and parents left in family_news: lets the next children start, and wakes tasks whose children have ended or '
  'whose time to wait is over. Whose tenants'' they are.';

create or replace function private.waits_for_children(p_task uuid) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (
    select
    from public.tool_executions e
    join public.tasks c on c.spawn_id = (e.output_result ->> 'spawn_id')::uuid
    where e.task_id = p_task and e.status = 'running' and e.output_result ? 'spawn_id'
      and (e.output_result ->> 'deadline')::timestamptz > now() and private.is_open(c)
  )
$$;

create or replace function private.children_deadline(p_task uuid) returns timestamptz
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select min((e.output_result ->> 'deadline')::timestamptz)
  from public.tool_executions e
  where e.task_id = p_task and e.status = 'running' and e.output_result ? 'deadline'
$$;

create or replace function private.children_folder(p_task uuid, p_spawn uuid) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select case when s.number = 1 then 'children' else 'children-' || s.number end
  from private.spawns_of(p_task) s where s.id = p_spawn
$$;

create or replace function private.bring_files(p_task public.tasks, p_execution uuid, p_spawn uuid) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_folder constant text := private.children_folder(p_task.id, p_spawn);
  v_before constant bigint := (select count(*) from public.files f where f.task_id = p_task.id);
  v_files jsonb;
begin
  select jsonb_agg(
    jsonb_build_object(
      'filename', v_folder || '/' || lpad(c.spawn_item::text, greatest(2, length(c.spawn_item::text)), '0') || '/' || f.filename,
      'file_path', f.file_path, 'file_size', f.file_size, 'mime_type', f.mime_type, 'file_hash', f.file_hash
    ) order by c.spawn_item, f.filename
  ) into v_files
  from private.newest_children(p_spawn) c
  join public.current_files f on f.task_id = c.id and c.result -> 'files' ? f.filename::text
  -- What was given to the child is here already.
  where c.status = 'completed' and f.is_stored and not f.is_temporary and length(f.filename) <= 220;
  begin
    perform private.add_files(p_task, p_execution, v_files);
  exception when sqlstate 'AR006' then
    return 'The files of the tasks are not here: they would not fit into the workspace.';
  end;
  return case when v_before < (select count(*) from public.files f where f.task_id = p_task.id) then 'brought' end;
end
$$;
comment on function private.bring_files(public.tasks, uuid, uuid) is
  'Puts what children handed over on record as the parent''s, at children/NN/…: brought where there was something new.';

create or replace function public.worker_children(p_task uuid, p_lease uuid, p_execution uuid) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_task public.tasks;
  v_execution public.tool_executions;
  v_spawn public.tool_executions;
  v_deadline timestamptz;
  v_open bigint;
  v_late boolean;
  v_note text;
begin
  -- The person before the task, as whoever changes who is in a tenant has it; making a conversation asks for the person.
  perform from public.users u where u.id = (select t.user_id from public.tasks t where t.id = p_task) for share;
  v_task := private.leased_task(p_task, p_lease);
  v_execution := private.execution_of(p_task, p_execution);
  if v_execution.status <> 'running' then
    raise exception using errcode = 'AR003', message = format('tool execution %s is %s', p_execution, v_execution.status);
  end if;
  if v_execution.output_result ? 'spawn_id' then
    select * into v_spawn from public.tool_executions e where e.id = (v_execution.output_result ->> 'spawn_id')::uuid;
  else
    v_spawn := private.begin_children(v_task, v_execution);
    select * into v_execution from public.tool_executions e where e.id = p_execution;
  end if;

  v_deadline := (v_execution.output_result ->> 'deadline')::timestamptz;
  v_late := v_deadline <= now();
  if v_late and private.follow(p_task, 'cancel', v_spawn.id) then
    insert into private.family_news (task_id, ask) values (p_task, 'cancel');
  end if;
  select count(*) into v_open from public.tasks c where c.spawn_id = v_spawn.id and private.is_open(c) and not v_late;
  if v_open = 0 then
    v_note := private.bring_files(v_task, p_execution, v_spawn.id);
    update public.tasks t
    set tainted = t.tainted or exists (select from public.tasks c where c.spawn_id = v_spawn.id and c.tainted),
        usage = t.usage || jsonb_build_object('children', private.children_usage(p_task))
    where t.id = p_task;
  end if;
  return jsonb_build_object(
    'spawn', (select s.number from private.spawns_of(p_task) s where s.id = v_spawn.id),
    'folder', private.children_folder(p_task, v_spawn.id),
    'open', v_open, 'late', v_late, 'brought', v_note is not distinct from 'brought', 'note', nullif(v_note, 'brought'),
    'items', (
      select jsonb_agg(
        jsonb_build_object(
          'item', i.ordinality, 'text', i.value, 'task_id', c.id,
          'status', case when c.id is null then 'missing' when v_late and c.completed_at is null then 'cancelled' else c.status end,
          'result', c.result -> 'result', 'answer', c.result ->> 'answer', 'files', c.result -> 'files',
          'error', case when v_late and c.status <> 'completed' then coalesce(c.error_message, 'not done by the deadline') else c.error_message end,
          'tainted', c.tainted,
          'tries', (select count(*) from public.tasks n where n.spawn_id = v_spawn.id and n.spawn_item = i.ordinality)
        ) order by i.ordinality
      )
      from unnest(private.spawn_items(v_spawn)) with ordinality i (value, ordinality)
      left join private.newest_children(v_spawn.id) c on c.spawn_item = i.ordinality
    )
  );
end
$$;
comment on function public.worker_children(uuid, uuid, uuid) is
  'What a running call of spawn_tasks or retry_tasks asks for, as it is on record: makes the children once, and says how they stand. '
  'While some are open, the task is to be suspended for children; where files of theirs were brought, once more.';

create or replace function private.begin_children(p_task public.tasks, p_execution public.tool_executions)
returns public.tool_executions
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_arguments constant jsonb := p_execution.input_parameters;
  v_tool constant text := (select t.name::text from public.tools t where t.id = p_execution.tool_id);
  v_spawn public.tool_executions := p_execution;
  v_items integer[];
begin
  if p_task.cancel_requested_at is not null then
    raise exception using errcode = 'AR003', message = format('task %s is being cancelled', p_task.id);
  end if;
  case v_tool
    when 'spawn_tasks' then
      v_items := array(select generate_series(1, cardinality(private.spawn_items(v_spawn))));
    when 'retry_tasks' then
      v_spawn := private.spawn_numbered(p_task.id, (v_arguments ->> 'spawn')::integer);
      v_items := private.failed_items(v_spawn.id, case
        when jsonb_typeof(v_arguments -> 'items') = 'array'
          then array(select i.value::integer from jsonb_array_elements_text(v_arguments -> 'items') i)
      end);
    else
      raise exception using errcode = 'AR005', message = format('%s is not a tool that gives tasks away', v_tool);
  end case;
  if cardinality(v_items) > 0 then
    perform private.make_children(p_task, v_spawn, v_items);
  end if;
  update public.tool_executions e
  set output_result = jsonb_build_object(
    'spawn_id', v_spawn.id,
    'deadline', now() + make_interval(mins => least(coalesce((v_spawn.input_parameters ->> 'deadline_minutes')::integer, 1440), 10080))
  )
  where e.id = p_execution.id;
  return v_spawn;
end
$$;

create or replace function private.children_usage(p_task uuid) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object('tasks', count(*)) || coalesce(
    (
      select jsonb_object_agg(u.key, u.total)
      from (
        select e.key, sum((e.value #>> '{}')::numeric) as total
        from public.tasks c
        cross join lateral (
          select * from jsonb_each(c.usage)
          union all
          select * from jsonb_each(coalesce(c.usage -> 'children', '{}'))
        ) e
        where c.parent_task_id = p_task and c.spawn_id is not null and jsonb_typeof(e.value) = 'number'
        group by e.key
      ) u
      where u.key <> 'tasks'
    ), '{}'
  )
  from public.tasks c
  where c.parent_task_id = p_task and c.spawn_id is not null
$$;
comment on function private.children_usage(uuid) is 'What a task''s children used, theirs included, and how many they are.';

create or replace function public.retry_children(p_task uuid, p_spawn integer default null, p_items integer[] default null)
returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me uuid := (select private.me());
  v_task public.tasks;
  v_spawn public.tool_executions;
  v_items integer[];
begin
  perform private.require_person();
  perform from public.users u where u.id = v_me for share;
  select * into v_task
  from public.tasks t
  where t.id = p_task and t.user_id = v_me and t.tenant_id = any ((select private.my_tenants())::uuid[])
  for no key update;
  if not found or not (select private.can_write()) then
    raise exception using errcode = 'AR002', message = format('there is no task %s of yours', p_task);
  elsif v_task.status = 'cancelled' or v_task.cancel_requested_at is not null then
    raise exception using errcode = 'AR003', message = format('task %s is cancelled already', p_task);
  elsif v_task.status = 'paused' then
    raise exception using errcode = 'AR003', message = format('while task %s is paused its children cannot change', p_task);
  end if;
  v_spawn := private.spawn_numbered(p_task, p_spawn);
  v_items := private.failed_items(v_spawn.id, p_items);
  if cardinality(v_items) > 0 then
    perform private.make_children(v_task, v_spawn, v_items);
  end if;
  return cardinality(v_items);
end
$$;
comment on function public.retry_children(uuid, integer, integer[]) is
  'Tries failed and cancelled items of a call of spawn_tasks again, all or those named, each as a new task; how many. p_spawn numbers the '
  'task''s calls from 1; the last one if left out. Security definer, since it makes tasks; it lets only the task''s owner do so.';
