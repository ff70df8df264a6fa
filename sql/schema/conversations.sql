-- A conversation between a person and an agent. Whoever may read it may read its messages, tasks, executions and files.

create table if not exists public.conversations (
  id uuid primary key default gen_random_uuid(),
  title varchar(255),
  user_id uuid not null references public.users (id) on delete cascade,
  agent_id uuid not null references public.agents (id) on delete cascade,
  status varchar(50) not null default 'active' check (status in ('active', 'completed', 'paused', 'error')),
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  is_shared boolean not null default false
);
comment on column public.conversations.is_shared is 'Everybody in the tenant may read it; only its owner may write.';
create index if not exists idx_conversations_user_id on public.conversations (user_id);
create index if not exists idx_conversations_agent_id on public.conversations (agent_id);
create index if not exists idx_conversations_status on public.conversations (status);
create index if not exists idx_conversations_created_at on public.conversations (created_at desc);
-- The newest of a person's and of a tenant's, and those that everybody in the tenant may read.
create index if not exists idx_conversations_user_created on public.conversations (user_id, created_at desc);
create index if not exists idx_conversations_tenant_created on public.conversations (tenant_id, created_at desc);
create index if not exists idx_conversations_shared on public.conversations (tenant_id) where is_shared;
create index if not exists idx_conversations_title_gin on public.conversations using gin (to_tsvector('spanish', title));
create index if not exists idx_conversations_title_english_gin on public.conversations using gin (to_tsvector('english', title));
alter table public.conversations enable row level security;
