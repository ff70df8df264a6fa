-- One row per worker process, for people who want to see who works; leases decide, not this table.

create table if not exists public.workers (
  id uuid primary key,
  host varchar(255) not null,
  pid integer not null,
  version varchar(50) not null,
  capacity integer not null check (capacity > 0),
  started_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  stopped_at timestamptz
);
-- Since version 2.
alter table public.workers
  add column if not exists transport varchar(20) not null default 'postgres',
  add column if not exists last_tenant uuid;
-- Since version 4.
alter table public.workers
  add column if not exists health jsonb,
  add column if not exists health_at timestamptz;
comment on column public.workers.health is
  'What it knows of its model server, as it told worker_report: {"model_url", "reachable", "version", "stand_in", "models", "model", "error", "sandbox"}.';
comment on column public.workers.last_tenant is 'Whose turn it was last, where several tenants have tasks waiting.';
alter table public.workers enable row level security;

-- When something that any worker does for all was last done.
create table if not exists private.duties (
  name varchar(50) primary key,
  done_at timestamptz
);
alter table private.duties enable row level security;
insert into private.duties (name) values ('reap') on conflict do nothing;
