-- Tasks that another task gave away (spawn_tasks): a child for each item, and a new one each time that an item is tried again.

alter table public.tasks
  add column if not exists spawn_id uuid references public.tool_executions (id) on delete cascade,
  add column if not exists spawn_item integer
    constraint tasks_item_of_a_spawn check ((coalesce(spawn_item, 0) >= 1) = (spawn_id is not null)),
  add column if not exists result_schema jsonb check (jsonb_typeof(result_schema) = 'object');
comment on column public.tasks.spawn_id is 'The call of spawn_tasks whose child it is, also where the item was tried again.';
comment on column public.tasks.spawn_item is 'Which item of that call it works on, from 1; the newest task of an item is the one that counts.';
comment on column public.tasks.result_schema is 'JSON schema of the result that task_complete has to give.';
create index if not exists idx_tasks_spawn on public.tasks (spawn_id, spawn_item) where spawn_id is not null;
-- Tasks that wait until a time at the latest.
create index if not exists idx_tasks_waiting_until on public.tasks (run_after) where status = 'waiting' and run_after is not null;

-- What has to be looked at in a family: a child ended or began to wait, or its parent asked something of it while it was busy.
-- A child must not lock its parent, which may be about to lock the child. So what happened is left here, and whoever claims next
-- acts on it (private.tend_families).
create table if not exists private.family_news (
  id bigint generated always as identity primary key,
  task_id uuid not null,
  ask varchar(10) check (ask in ('cancel', 'pause', 'resume'))
);
alter table private.family_news enable row level security;
