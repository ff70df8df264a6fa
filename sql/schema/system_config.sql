-- Configuration of the platform. Each seeded key changes what the runtime does: see docs/admin.md.

create table if not exists public.system_config (
  id uuid primary key default gen_random_uuid(),
  config_key varchar(255) unique not null,
  config_value jsonb not null,
  description text,
  is_sensitive boolean not null default false,
  updated_by uuid references public.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index if not exists idx_system_config_key on public.system_config (config_key);
create index if not exists idx_system_config_updated_by on public.system_config (updated_by) where updated_by is not null;
alter table public.system_config enable row level security;
