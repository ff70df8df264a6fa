-- Tools: what exists, how it is presented to the model, and what it is allowed. tenant_id null is the platform's.

create table if not exists public.tools (
  id uuid primary key default gen_random_uuid(),
  name varchar(100) unique not null check (name ~ '^[a-z][a-z0-9_]{0,63}$'),
  display_name varchar(255) not null,
  description text not null,
  category varchar(100) not null,
  function_schema jsonb not null check (jsonb_typeof(function_schema) = 'object'),
  implementation_type varchar(50) not null default 'python'
    check (implementation_type in ('python', 'shell', 'api', 'builtin', 'mcp')),
  implementation_code text,
  is_enabled boolean not null default true,
  requires_confirmation boolean not null default false,
  security_level varchar(20) not null default 'safe' check (security_level in ('safe', 'moderate', 'dangerous')),
  usage_count integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  tenant_id uuid references public.tenants (id) on delete cascade,
  retry_class varchar(20) not null default 'unsafe' check (retry_class in ('pure', 'idempotent', 'keyed', 'unsafe')),
  taints boolean not null default false,
  outward boolean not null default false,
  timeout_seconds integer not null default 60 check (timeout_seconds between 1 and 86400),
  output_limit_bytes integer not null default 16384 check (output_limit_bytes between 256 and 131072),
  prompt_injection text,
  response_guide text,
  config jsonb not null default '{}'
);
-- Since version 2.
alter table public.tools
  add column if not exists approvals_required integer not null default 1 check (approvals_required between 1 and 2);
-- Since version 5.
alter table public.tools
  add column if not exists destination varchar(255)
  constraint tools_destination_check check (destination ~ '^(=.*[^[:space:]].*|[A-Za-z0-9_-]+( *, *[A-Za-z0-9_-]+)*)$');
comment on column public.tools.destination is
  'Where an outward call goes: names of the arguments that say so, parted by commas, or = and a text where it is always the same.';
comment on column public.tools.approvals_required is
  'How many different people must approve a call, where it needs approval at all; with 2 the task''s owner alone is not enough.';
comment on column public.tools.retry_class is 'What a resumed run may do with a call that a crash left running.';
comment on column public.tools.taints is 'Its output comes from outside and is not to be trusted.';
comment on column public.tools.outward is 'It sends data off the machine, spends, deletes or messages.';
comment on column public.tools.prompt_injection is 'Guidance that is added to the system prompt of agents that have the tool.';
comment on column public.tools.response_guide is 'Guidance that is added to the tool''s result.';
create index if not exists idx_tools_name on public.tools (name);
create index if not exists idx_tools_category on public.tools (category);
create index if not exists idx_tools_is_enabled on public.tools (is_enabled);
create index if not exists idx_tools_tenant_id on public.tools (tenant_id) where tenant_id is not null;
alter table public.tools enable row level security;
