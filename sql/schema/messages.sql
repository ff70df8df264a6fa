-- Messages: what the model saw and said, append-only, in the order of seq.

create sequence if not exists public.messages_seq;

create table if not exists public.messages (
  id uuid primary key default gen_random_uuid(),
  conversation_id uuid not null references public.conversations (id) on delete cascade,
  role varchar(20) not null check (role in ('user', 'assistant', 'system', 'tool')),
  -- 256 KiB: over about 1 MB the full-text indexes would refuse the row. Longer output goes to a file.
  content text not null check (octet_length(content) <= 262144),
  tool_calls jsonb check (jsonb_typeof(tool_calls) = 'array'),
  tool_call_id varchar(255),
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  task_id uuid references public.tasks (id) on delete cascade,
  seq bigint not null,
  constraint messages_in_order unique (conversation_id, seq)
);
alter sequence public.messages_seq owned by public.messages.seq;
comment on column public.messages.seq is 'Set by the database under the conversation''s lock: order of seq is order of commit.';
comment on column public.messages.metadata is 'files, model, thinking, finish, usage, execution_id.';
-- Since version 3: see triggers/owner_hints.sql.
alter table public.messages add column if not exists owner_id uuid;
comment on column public.messages.owner_id is
  'Whose the conversation was when the row was written: a short cut for the policies alone. Null in rows from before version 3.';
-- With what the policy asks, so that counting the messages of a conversation reads no message.
create index if not exists idx_messages_visible on public.messages (conversation_id, seq) include (owner_id, tenant_id);
create index if not exists idx_messages_conversation_id on public.messages (conversation_id);
create index if not exists idx_messages_role on public.messages (role);
create index if not exists idx_messages_created_at on public.messages (created_at);
create index if not exists idx_messages_conversation_created on public.messages (conversation_id, created_at desc);
create index if not exists idx_messages_content_gin on public.messages using gin (to_tsvector('spanish', content));
create index if not exists idx_messages_content_english_gin on public.messages using gin (to_tsvector('english', content));
create index if not exists idx_messages_tenant_id on public.messages (tenant_id);
create index if not exists idx_messages_task_id on public.messages (task_id);
alter table public.messages enable row level security;
