-- Tool executions: the ledger. A row is written with the turn that asked for the call (pending), before the effect
-- (running), and with its result (completed or failed). Their states and arrows are in triggers/state.sql.

create table if not exists public.tool_executions (
  id uuid primary key default gen_random_uuid(),
  task_id uuid not null references public.tasks (id) on delete cascade,
  tool_id uuid not null references public.tools (id) on delete cascade,
  message_id uuid references public.messages (id) on delete set null,
  input_parameters jsonb not null,
  output_result jsonb,
  status varchar(50) not null default 'pending' check (
    status in ('pending', 'awaiting_approval', 'running', 'completed', 'failed', 'denied', 'in_doubt', 'cancelled')
  ),
  execution_time_ms integer check (execution_time_ms >= 0),
  error_message text,
  started_at timestamptz default now(),
  completed_at timestamptz,
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  tool_call_id varchar(255) not null,
  step integer not null check (step >= 1),
  call_index integer not null check (call_index >= 0),
  input_digest varchar(64) not null,
  approval_expires_at timestamptz,
  decided_by uuid references public.users (id) on delete set null,
  decided_at timestamptz,
  decision_reason text,
  constraint tool_executions_one_per_call unique (message_id, call_index),
  constraint tool_executions_completed_at_when_ended
    check ((completed_at is not null) = (status in ('completed', 'failed', 'denied', 'cancelled')))
);
-- Since version 2.
alter table public.tool_executions
  add column if not exists approvals_needed integer not null default 0 check (approvals_needed between 0 and 2),
  add column if not exists approval_used_at timestamptz,
  add column if not exists original_parameters jsonb;
comment on column public.tool_executions.approvals_needed is 'So many different people must approve these very arguments first.';
comment on column public.tool_executions.approval_expires_at is
  'While it waits: the end of the time to decide. Once approved: the end of the time to start.';
comment on column public.tool_executions.approval_used_at is 'When the approval was used up by the start of the call.';
comment on column public.tool_executions.original_parameters is 'What the model asked for, where a person edited it before approving.';
comment on column public.tool_executions.input_digest is 'SHA-256, in hex, of input_parameters as jsonb prints it.';
comment on column public.tool_executions.tool_call_id is 'The model''s own id of the call, unique within one turn only.';
-- Since version 3: see triggers/owner_hints.sql.
alter table public.tool_executions add column if not exists owner_id uuid;
comment on column public.tool_executions.owner_id is
  'Whose the conversation was when the row was written: a short cut for the policies alone. Null in rows from before version 3.';
-- Since version 5.
alter table public.tool_executions add column if not exists gate jsonb check (jsonb_typeof(gate) = 'object');
comment on column public.tool_executions.gate is
  'Why it needs a person though its tool does not: {"destinations", "sources"}. It goes out of the machine from a tainted task.';
create index if not exists idx_tool_executions_task_id on public.tool_executions (task_id);
create index if not exists idx_tool_executions_tool_id on public.tool_executions (tool_id);
create index if not exists idx_tool_executions_status on public.tool_executions (status);
create index if not exists idx_tool_executions_tool_status on public.tool_executions (tool_id, status);
create index if not exists idx_tool_executions_tenant_id on public.tool_executions (tenant_id);
create index if not exists idx_tool_executions_decided_by on public.tool_executions (decided_by) where decided_by is not null;
create index if not exists idx_tool_executions_expiry on public.tool_executions (approval_expires_at)
  where status = 'awaiting_approval';
-- What waits for a person.
create index if not exists idx_tool_executions_undecided on public.tool_executions (tenant_id, approval_expires_at)
  where status in ('awaiting_approval', 'in_doubt');
alter table public.tool_executions enable row level security;
