-- Who changed what: append-only, written by triggers (triggers/audit.sql), each row chained to the one before it in its tenant,
-- a partition for each month (functions/audit.sql). Partitions are in `private`, where no API reaches them.

create table if not exists public.audit_logs (
  id uuid not null default gen_random_uuid(),
  user_id uuid references public.users (id) on delete set null,
  action varchar(100) not null,
  resource_type varchar(100) not null,
  resource_id uuid,
  old_values jsonb,
  new_values jsonb,
  ip_address inet,
  user_agent text,
  created_at timestamptz not null default now(),
  tenant_id uuid,
  actor varchar(255) not null,
  prev_hash bytea not null,
  hash bytea not null,
  chain_seq bigint not null,
  primary key (id, created_at)
) partition by range (created_at);
comment on column public.audit_logs.actor is 'user:ID, worker:ID or role:NAME; outlives the user''s row.';
comment on column public.audit_logs.tenant_id is 'Of the changed row; no foreign key, because history outlives a tenant. Null: the platform''s.';
comment on column public.audit_logs.chain_seq is 'Its number in the chain of its tenant, without gaps, from 1.';
comment on column public.audit_logs.prev_hash is 'hash of the row before it in the chain; zeros before the first.';
comment on column public.audit_logs.hash is 'sha256 of prev_hash and private.audit_text() of the row.';
comment on column public.audit_logs.created_at is 'When the transaction was about to commit; never before that of the row before it in the chain.';
create index if not exists idx_audit_logs_user_id on public.audit_logs (user_id);
create index if not exists idx_audit_logs_action on public.audit_logs (action);
create index if not exists idx_audit_logs_resource_type on public.audit_logs (resource_type);
create index if not exists idx_audit_logs_created_at on public.audit_logs (created_at desc);
create index if not exists idx_audit_logs_tenant_id on public.audit_logs (tenant_id, created_at desc);
alter table public.audit_logs enable row level security;

-- The net: a month that nobody made ahead loses nothing.
create table if not exists private.audit_logs_rest partition of public.audit_logs default;
alter table private.audit_logs_rest enable row level security;
