-- Profiles, one per row of auth.users, written by the sign-up trigger.
-- Role, tenant and is_active are read from here and from nowhere else: token claims go stale, sign-up metadata is the user's own.

create table if not exists public.users (
  id uuid primary key default gen_random_uuid(),
  email varchar(255) unique not null,
  username varchar(100) unique not null,
  full_name varchar(255),
  avatar_url text,
  role varchar(50) not null default 'user' check (role in ('admin', 'user', 'viewer')),
  is_active boolean not null default true,
  preferences jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  tenant_id uuid not null references public.tenants (id)
);
create index if not exists idx_users_email on public.users (email);
create index if not exists idx_users_username on public.users (username);
create index if not exists idx_users_role on public.users (role);
create index if not exists idx_users_tenant_id on public.users (tenant_id);
alter table public.users enable row level security;
