-- A tenant owns data and is the border that no row crosses. Everybody has a personal one from sign-up.

create table if not exists public.tenants (
  id uuid primary key default gen_random_uuid(),
  slug varchar(100) not null unique check (slug ~ '^[a-z0-9][a-z0-9-]*$'),
  name varchar(255) not null,
  settings jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
alter table public.tenants enable row level security;
