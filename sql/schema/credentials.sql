-- The vault: secrets that tools use, sealed with a key that is not in the database (agent_runtime/vault/sealing.py).
--
-- What people may know of a credential is in public; what is sealed is in private, which no API exposes: a grant on a public
-- table protects nothing where the API grants everything at its start.

create table if not exists public.credentials (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid references public.tenants (id) on delete cascade,
  user_id uuid references public.users (id) on delete cascade,
  name varchar(100) not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$'),
  category varchar(100) not null default 'general',
  scope varchar(20) not null check (scope in ('global', 'tenant', 'user')),
  key_id varchar(64) not null,
  created_by uuid references public.users (id) on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_used_at timestamptz,
  constraint credentials_owner check ((scope <> 'global') = (tenant_id is not null) and (scope = 'user') = (user_id is not null))
);
comment on column public.credentials.tenant_id is 'Null for global; of a user''s credential the user''s own tenant, from sign-up.';
comment on column public.credentials.key_id is 'Which master key wraps its data key: a digest, of no use without the key.';
create unique index if not exists idx_credentials_global on public.credentials (name) where scope = 'global';
create unique index if not exists idx_credentials_tenant on public.credentials (tenant_id, name) where scope = 'tenant';
create unique index if not exists idx_credentials_user on public.credentials (user_id, name) where scope = 'user';
create index if not exists idx_credentials_tenant_id on public.credentials (tenant_id);
create index if not exists idx_credentials_user_id on public.credentials (user_id);
create index if not exists idx_credentials_created_by on public.credentials (created_by);
alter table public.credentials enable row level security;

create table if not exists private.sealed_credentials (
  credential_id uuid primary key references public.credentials (id) on delete cascade,
  ciphertext bytea not null check (octet_length(ciphertext) between 28 and 131072),
  wrapped_key bytea not null check (octet_length(wrapped_key) = 60)
);
comment on column private.sealed_credentials.ciphertext is 'The value under its own data key: nonce, AES-256-GCM, tag.';
comment on column private.sealed_credentials.wrapped_key is 'The data key under the master key: nonce, AES-256-GCM, tag.';
alter table private.sealed_credentials enable row level security;

create table if not exists private.vault_keys (
  key_id varchar(64) primary key,
  added_at timestamptz not null default now()
);
comment on table private.vault_keys is 'Master keys that an operator or a worker has shown to have. People seal with no other.';
alter table private.vault_keys enable row level security;
