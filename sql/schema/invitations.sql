-- Invitations into a tenant, by e-mail address: pending until the person of that address signs up or accepts, or an admin
-- revokes them, or they expire. Written by functions/tenancy.sql alone.

create table if not exists public.invitations (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  -- Plain ASCII, in lower case, and compared byte by byte: no look-alike letter is ever taken for another.
  email varchar(255) not null check (email collate "C" ~ '^[!-?A-~]+@[!-?A-~]+$' and email = lower(email collate "C")),
  role varchar(50) not null check (role in ('admin', 'user', 'viewer')),
  invited_by uuid references public.users (id) on delete set null,
  status varchar(20) not null default 'pending' check (status in ('pending', 'accepted', 'revoked', 'expired')),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null default now() + interval '14 days',
  decided_at timestamptz,
  accepted_by uuid references public.users (id) on delete set null,
  constraint invitations_decided_at_when_decided check ((decided_at is null) = (status = 'pending'))
);
comment on column public.invitations.status is 'A pending one whose expires_at is over can be accepted no more; it is marked when the address is invited again.';
create unique index if not exists idx_invitations_one_pending on public.invitations (tenant_id, email) where status = 'pending';
create index if not exists idx_invitations_email on public.invitations (email) where status = 'pending';
create index if not exists idx_invitations_tenant_id on public.invitations (tenant_id);
create index if not exists idx_invitations_invited_by on public.invitations (invited_by);
create index if not exists idx_invitations_accepted_by on public.invitations (accepted_by) where accepted_by is not null;
alter table public.invitations enable row level security;
