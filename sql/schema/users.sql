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
-- Since version 3.
alter table public.users
  add column if not exists home_tenant_id uuid references public.tenants (id),
  add column if not exists deactivated_by_admin boolean not null default false;
comment on column public.users.tenant_id is 'Where the person works now; what they make belongs to it.';
comment on column public.users.home_tenant_id is
  'The personal tenant from sign-up. Joining another keeps it and what is in it; leaving leads back to it.';
comment on column public.users.deactivated_by_admin is
  'An admin of the tenant deactivated the person, and can undo it; what the operator did by SQL, no admin can.';
alter table public.users add column if not exists owner_hints boolean not null default true;
comment on column public.users.owner_hints is
  'False for who left a tenant or lost a conversation to somebody else: the policies believe no owner_id of theirs.';
-- Since version 4.
alter table public.users add column if not exists is_operator boolean not null default false;
comment on column public.users.is_operator is
  'May change what belongs to the platform: configuration, tools, the catalogue, tenants'' limits. Given and taken by the owner''s SQL alone.';
create index if not exists idx_users_email on public.users (email);
create index if not exists idx_users_username on public.users (username);
create index if not exists idx_users_role on public.users (role);
create index if not exists idx_users_tenant_id on public.users (tenant_id);
create index if not exists idx_users_home_tenant_id on public.users (home_tenant_id);
alter table public.users enable row level security;
