-- Tasks: the state machine. Status and lease are written by the worker's and the person's functions alone; triggers refuse
-- everybody else. The states and the arrows between them are in triggers/state.sql.

create table if not exists public.tasks (
  id uuid primary key default gen_random_uuid(),
  conversation_id uuid not null references public.conversations (id) on delete cascade,
  title varchar(255) not null,
  description text check (octet_length(description) <= 262144),
  status varchar(50) not null default 'pending'
    check (status in ('pending', 'running', 'waiting', 'paused', 'completed', 'failed', 'cancelled')),
  priority integer not null default 1 check (priority >= 1 and priority <= 5),
  current_phase integer not null default 1,
  total_phases integer not null default 1,
  progress_percentage integer not null default 0 check (progress_percentage >= 0 and progress_percentage <= 100),
  result jsonb,
  error_message text,
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  user_id uuid not null references public.users (id) on delete cascade,
  agent_id uuid not null references public.agents (id) on delete cascade,
  parent_task_id uuid references public.tasks (id) on delete cascade,
  plan jsonb not null default '[]' check (jsonb_typeof(plan) = 'array'),
  run_after timestamptz,
  attempts integer not null default 0,
  max_attempts integer not null default 5 check (max_attempts > 0),
  lease_token uuid,
  lease_expires_at timestamptz,
  worker_id uuid references public.workers (id) on delete set null,
  wait_reason varchar(50) check (wait_reason in ('answer', 'approval', 'doubt', 'children', 'schedule')),
  cancel_requested_at timestamptz,
  pause_requested_at timestamptz,
  idempotency_key varchar(255),
  limits jsonb not null default '{}' check (jsonb_typeof(limits) = 'object'),
  usage jsonb not null default '{}' check (jsonb_typeof(usage) = 'object'),
  tainted boolean not null default false,
  constraint tasks_phase_within_plan check (current_phase >= 1 and current_phase <= total_phases),
  constraint tasks_completed_at_when_ended
    check ((completed_at is null) = (status in ('pending', 'running', 'waiting', 'paused'))),
  constraint tasks_lease_while_running
    check ((lease_token is not null) = (status = 'running') and (lease_expires_at is not null) = (status = 'running')),
  constraint tasks_wait_reason_while_waiting check ((wait_reason is not null) = (status = 'waiting')),
  constraint tasks_submitted_once unique (user_id, idempotency_key)
);
-- Since version 2.
alter table public.tasks
  add column if not exists claimed_at timestamptz,
  add column if not exists active_seconds double precision not null default 0,
  add column if not exists retries integer not null default 0,
  add column if not exists last_release text,
  add column if not exists search tsvector;
-- Since version 5.
alter table public.tasks
  add column if not exists taint_sources jsonb not null default '[]' check (jsonb_typeof(taint_sources) = 'array');
comment on column public.tasks.tainted is 'It has read something from outside, or from one that has; never unset.';
comment on column public.tasks.taint_sources is
  'What it has read from outside: [{"source", "tool", "step"}], the first 50; an uploaded file has neither tool nor step.';
comment on column public.tasks.plan is 'Array of {"title"}; current_phase counts from 1 and says where the run is.';
comment on column public.tasks.attempts is 'Runs that a crash ended. Waiting, releasing and resuming do not count.';
comment on column public.tasks.run_after is 'Not claimable before this time; of a task that waits for children, until when it waits. Cleared when it comes.';
comment on column public.tasks.usage is
  'steps, tool_calls, prompt_tokens, output_tokens, model_seconds, tool_seconds, output_bytes; children: the same of its children. Sums of audited rows, not audited again.';
comment on column public.tasks.limits is
  'steps, tool_calls, wall_seconds, model_tokens, output_tokens, output_bytes, child_tasks, child_tasks_at_once, child_depth; the tightest of the tenant''s, the agent''s and these holds.';
comment on column public.tasks.active_seconds is 'How long workers ran it, up to the last claim; since then it is now() - claimed_at more.';
comment on column public.tasks.retries is 'How often in a row it was given back because a service stayed away; a recorded turn sets it to 0.';
comment on column public.tasks.last_release is 'The last lease that was given back in order, and how, so that a repeated call can be answered.';
comment on column public.tasks.search is 'Title and description for full-text search, in Spanish and English.';

create index if not exists idx_tasks_conversation_id on public.tasks (conversation_id);
create index if not exists idx_tasks_status on public.tasks (status);
create index if not exists idx_tasks_priority on public.tasks (priority);
create index if not exists idx_tasks_created_at on public.tasks (created_at desc);
create index if not exists idx_tasks_status_priority on public.tasks (status, priority desc);
-- On a column that a trigger keeps: an expression would be parsed again, in both languages, at each change of the status.
create index if not exists idx_tasks_title_description_gin on public.tasks using gin (search);
-- The newest of a person's and of a tenant's, page by page.
create index if not exists idx_tasks_user_created on public.tasks (user_id, created_at desc, id desc);
create index if not exists idx_tasks_tenant_created on public.tasks (tenant_id, created_at desc, id desc);
create index if not exists idx_tasks_agent_id on public.tasks (agent_id);
create index if not exists idx_tasks_parent_task_id on public.tasks (parent_task_id) where parent_task_id is not null;
create index if not exists idx_tasks_worker_id on public.tasks (worker_id) where worker_id is not null;
-- The claim reads claimable rows alone, in the order in which it takes them; finished and future rows cost it nothing.
create index if not exists idx_tasks_claimable on public.tasks (priority desc, created_at, id)
  where status = 'pending' and run_after is null;
-- The same by tenant, for the claims that let the tenants take turns.
create index if not exists idx_tasks_turns on public.tasks (tenant_id, priority desc, created_at, id)
  where status = 'pending' and run_after is null;
create index if not exists idx_tasks_due on public.tasks (run_after) where status = 'pending' and run_after is not null;
-- lease_expires_at is in no index, so that a renewal stays a HOT update; few rows are running at a time.
create index if not exists idx_tasks_running on public.tasks (user_id) where status = 'running';
alter table public.tasks enable row level security;
