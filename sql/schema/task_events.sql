-- The timeline of each task, append-only: the screens and streams are folds of it. Order of id is order of commit within a task.

create table if not exists public.task_events (
  id bigint generated always as identity primary key,
  task_id uuid not null references public.tasks (id) on delete cascade,
  kind varchar(50) not null check (
    kind in ('task.created', 'task.status', 'task.plan', 'task.control', 'task.notice', 'message.created',
             'execution.status', 'execution.decision', 'file.created', 'file.removed')
  ),
  payload jsonb not null default '{}',
  created_at timestamptz not null default now(),
  -- Of its task, written by triggers alone; it goes with the task.
  tenant_id uuid not null
);
-- Since version 3: see triggers/owner_hints.sql.
alter table public.task_events add column if not exists owner_id uuid;
comment on column public.task_events.owner_id is
  'Whose the conversation was when the row was written: a short cut for the policies alone. Null in rows from before version 3.';
create index if not exists idx_task_events_task_id on public.task_events (task_id, id);
create index if not exists idx_task_events_tenant_id on public.task_events (tenant_id);
alter table public.task_events enable row level security;
