-- Who changed what, append-only, written by triggers (triggers/audit.sql).

create table if not exists public.audit_logs (
  id uuid primary key default gen_random_uuid(),
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
  prev_hash bytea,
  hash bytea
);
comment on column public.audit_logs.actor is 'user:ID, worker:ID or role:NAME; outlives the user''s row.';
comment on column public.audit_logs.tenant_id is 'Of the changed row; no foreign key, because history outlives a tenant. Null: the platform''s.';
comment on column public.audit_logs.hash is 'Reserved for the hash chain; not written yet.';
create index if not exists idx_audit_logs_user_id on public.audit_logs (user_id);
create index if not exists idx_audit_logs_action on public.audit_logs (action);
create index if not exists idx_audit_logs_resource_type on public.audit_logs (resource_type);
create index if not exists idx_audit_logs_created_at on public.audit_logs (created_at desc);
create index if not exists idx_audit_logs_tenant_id on public.audit_logs (tenant_id, created_at desc);
alter table public.audit_logs enable row level security;
