-- Files: what was uploaded and what was made. A row is a version of what is at a path of a workspace: a file, an empty folder,
-- a link, or nothing any more. The bytes of a file are in the private Storage bucket, at file_path, and never change; versions
-- with the same bytes share them.

create table if not exists public.files (
  id uuid primary key default gen_random_uuid(),
  conversation_id uuid references public.conversations (id) on delete cascade,
  task_id uuid references public.tasks (id) on delete cascade,
  filename varchar(255) not null,
  original_filename varchar(255) not null,
  file_path text not null,
  file_size bigint not null check (file_size >= 0),
  mime_type varchar(255) not null,
  file_hash varchar(64) check (file_hash ~ '^[0-9a-f]{64}$'),
  is_temporary boolean not null default false,
  expires_at timestamptz,
  uploaded_by uuid references public.users (id) on delete set null,
  created_at timestamptz not null default now(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  execution_id uuid references public.tool_executions (id) on delete set null,
  version integer not null default 1 check (version >= 1),
  constraint files_one_row_per_version unique (task_id, filename, version),
  constraint files_temporary_expire check (is_temporary = (expires_at is not null))
);
-- Since version 2.
alter table public.files
  add column if not exists kind varchar(10) not null default 'file'
    constraint files_kind_check check (kind in ('file', 'folder', 'link', 'removed')),
  add column if not exists is_executable boolean not null default false,
  add column if not exists link_target varchar(4096)
    constraint files_link_has_target check ((kind = 'link') = (link_target is not null)),
  add column if not exists is_stored boolean not null default true,
  drop constraint if exists files_path_is_one_file;
comment on column public.files.kind is 'removed: a step removed what was there. Only a file has bytes; the file_path of any other kind is empty.';
comment on column public.files.is_stored is
  'False while Storage has not taken the bytes: the worker that made them has them, and sends them when it can.';
comment on column public.files.filename is 'Path in the task''s workspace.';
comment on column public.files.original_filename is 'As the person named it, or the last part of filename.';
-- Since version 3: see triggers/owner_hints.sql.
alter table public.files add column if not exists owner_id uuid;
comment on column public.files.owner_id is
  'Whose the conversation was when the row was written: a short cut for the policies alone. Null in rows from before version 3.';
create index if not exists idx_files_conversation_id on public.files (conversation_id);
create index if not exists idx_files_task_id on public.files (task_id);
create index if not exists idx_files_uploaded_by on public.files (uploaded_by);
create index if not exists idx_files_file_path on public.files (file_path);
create index if not exists idx_files_expires_at on public.files (expires_at);
create index if not exists idx_files_conversation_temporary on public.files (conversation_id, is_temporary);
create index if not exists idx_files_tenant_id on public.files (tenant_id);
create index if not exists idx_files_execution_id on public.files (execution_id) where execution_id is not null;
alter table public.files enable row level security;
