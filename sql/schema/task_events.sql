-- The timeline of each task, append-only: the screens and streams are folds of it. Order of id is order of commit within a task.

create table if not exists public.task_events (
  id bigint generated always as identity primary key,
  task_id uuid not null references public.tasks (id) on delete cascade,
  kind varchar(50) not null check (
    kind in ('task.created', 'task.status', 'task.plan', 'task.control', 'task.notice', 'message.created',
             'execution.status', 'file.created', 'file.removed')
  ),
  payload jsonb not null default '{}',
  created_at timestamptz not null default now(),
  tenant_id uuid not null references public.tenants (id) on delete cascade
);
do $$
begin
  -- Since version 2 there is file.removed.
  if not exists (
    select from pg_catalog.pg_constraint c
    where c.conrelid = 'public.task_events'::regclass and c.conname = 'task_events_kind_check'
      and pg_get_constraintdef(c.oid) like '%file.removed%'
  ) then
    alter table public.task_events drop constraint task_events_kind_check;
    alter table public.task_events add constraint task_events_kind_check check (
      kind in ('task.created', 'task.status', 'task.plan', 'task.control', 'task.notice', 'message.created',
               'execution.status', 'file.created', 'file.removed')
    );
  end if;
end
$$;
create index if not exists idx_task_events_task_id on public.task_events (task_id, id);
create index if not exists idx_task_events_tenant_id on public.task_events (tenant_id);
alter table public.task_events enable row level security;
