-- Agents: a system prompt, a model and the tools it may use.
-- tenant_id null is the platform's catalogue, which only SQL scripts change.

create table if not exists public.agents (
  id uuid primary key default gen_random_uuid(),
  name varchar(255) not null,
  description text,
  system_prompt text not null,
  model_name varchar(100) not null,
  temperature decimal(3, 2) not null default 0.7 check (temperature >= 0 and temperature <= 2),
  max_tokens integer not null default 4096 check (max_tokens > 0),
  tools_enabled text[] not null default '{}',
  memory_enabled boolean not null default true,
  memory_limit integer not null default 10000 check (memory_limit >= 0),
  created_by uuid references public.users (id) on delete set null,
  is_public boolean not null default false,
  is_active boolean not null default true,
  configuration jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  tenant_id uuid references public.tenants (id) on delete cascade
);
-- Since version 2.
alter table public.agents add column if not exists standing_permissions text[] not null default '{}';
-- Since version 5.
alter table public.agents
  add column if not exists outward_permissions jsonb not null default '[]' check (jsonb_typeof(outward_permissions) = 'array');
comment on column public.agents.outward_permissions is
  'What a tainted task may send where without asking: [{"tool", "destination", "bound"}]. An admin''s to give.';
comment on column public.agents.standing_permissions is
  'Dangerous tools that this agent may use without asking; a tool with requires_confirmation asks all the same.';
comment on column public.agents.model_name is 'A model of the model server, or ''default'' for the configuration''s default_model.';
create index if not exists idx_agents_created_by on public.agents (created_by);
create index if not exists idx_agents_is_public on public.agents (is_public);
create index if not exists idx_agents_is_active on public.agents (is_active);
create index if not exists idx_agents_tenant_id on public.agents (tenant_id);
create unique index if not exists idx_agents_catalogue_name on public.agents (name) where tenant_id is null;
alter table public.agents enable row level security;
