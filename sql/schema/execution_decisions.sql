-- Approvals as capabilities: one row for each person's decision on a call, bound to the digest of the arguments that the person saw.
-- Append-only. Whether a call may start is read from here by a trigger (triggers/state.sql), whoever starts it.

create table if not exists public.execution_decisions (
  id uuid primary key default gen_random_uuid(),
  execution_id uuid not null references public.tool_executions (id) on delete cascade,
  user_id uuid references public.users (id) on delete set null,
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  verdict varchar(20) not null check (verdict in ('approved', 'denied', 'happened', 'did_not_happen')),
  input_digest varchar(64) not null,
  reason text check (octet_length(reason) <= 65536),
  created_at timestamptz not null default now(),
  constraint execution_decisions_once unique (execution_id, user_id, input_digest, verdict)
);
comment on column public.execution_decisions.verdict is
  'approved or denied before the call; happened or did_not_happen for one that was left in doubt.';
create index if not exists idx_execution_decisions_user_id on public.execution_decisions (user_id);
create index if not exists idx_execution_decisions_tenant_id on public.execution_decisions (tenant_id);
alter table public.execution_decisions enable row level security;
