-- What makes the audit provable: the head of each tenant's chain, and what is left of a month that was dropped.

-- One row per chain, changed with each row of it; a page has room for many versions, so that no index entry is added.
create table if not exists private.audit_heads (
  chain uuid primary key,
  chain_seq bigint not null,
  created_at timestamptz not null,
  prev_hash bytea not null,
  hash bytea not null
) with (fillfactor = 20);
comment on table private.audit_heads is 'The last row of each tenant''s chain. Its lock makes the order of the chain, at the end of a transaction.';
comment on column private.audit_heads.chain is 'The tenant; zeros for what belongs to the platform.';
alter table private.audit_heads enable row level security;

create table if not exists private.audit_stubs (
  chain uuid not null,
  month date not null,
  first_seq bigint not null,
  last_seq bigint not null,
  row_count bigint not null,
  prev_hash bytea not null,
  hash bytea not null,
  dropped_at timestamptz not null,
  actor text not null,
  key_id text not null,
  signature bytea not null,
  primary key (chain, month)
);
comment on table private.audit_stubs is
  'A month of a chain that was dropped: where it began and ended, and an Ed25519 signature of that by AGENT_RUNTIME_AUDIT_KEY.';
alter table private.audit_stubs enable row level security;

-- Never holds a row for longer than a statement: what is inserted here is audited when the transaction ends.
create table if not exists private.audit_events (
  id bigint generated always as identity primary key,
  tenant_id uuid,
  user_id uuid,
  actor text not null,
  action varchar(100) not null,
  resource_type varchar(100) not null,
  resource_id uuid,
  new_values jsonb,
  ip_address inet,
  user_agent text
);
comment on table private.audit_events is 'Where private.audit_event() puts what is no change of a row, for the audit''s trigger. Always empty.';
alter table private.audit_events enable row level security;
